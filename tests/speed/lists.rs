//! Lists of key pairs, and one of them: how both grow with the number that there are.

use std::time::{Duration, Instant};

use super::Served;
use super::harness::{Daemon, SIGNING, key_pair, tamper};

/// How many key pairs there are, one after the other: powers of ten.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// How long one figure is measured, and how many answers it rests on at most.
const SPAN: Duration = Duration::from_secs(3);
const MOST: usize = 2_000;

/// Makes ten times as many rows, as copies of the first, certificate and all: what lists read, made
/// a thousand times faster than keys are.
const COPY: &str = "
    WITH RECURSIVE more (n) AS (
        SELECT COUNT(*) FROM key_pairs UNION ALL
        SELECT n + 1 FROM more WHERE n + 1 < 10 * (SELECT COUNT(*) FROM key_pairs)
    )
    INSERT INTO key_pairs (
        id, ring, ring_kind, generation, state, provider, locator, origin, key_use, algorithm, signature_algorithm,
        permitted, kid, spki, certificates, created_at, activated_at, version, owner_instance, owner_life, lease_until
    )
    SELECT substr(id, 1, 24) || printf('%012x', n), ring_kind || ':copy-' || n, ring_kind, generation, state, provider,
        randomblob(16), origin, key_use, algorithm, signature_algorithm, permitted, kid, spki, certificates,
        created_at + n, activated_at, version, owner_instance, owner_life, lease_until
    FROM more, (SELECT * FROM key_pairs ORDER BY created_at LIMIT 1)";

/// Prints one line for each size.
pub(crate) fn print() {
    let Served { dir, daemon, .. } = Served::with("");
    let one = daemon.generate(&key_pair("EC", Some(256))).expect(201).id();
    println!("{:>9}   {:<26} {:<16} get one", "key pairs", "list", "per item");
    let listed = || daemon.get(SIGNING).expect(200).json()["items"].as_array().map_or(0, Vec::len);
    for size in SIZES {
        while listed() < size {
            tamper(&dir.join("serve.db"), COPY);
        }
        let list = Times::of(&daemon, SIGNING);
        let get = Times::of(&daemon, &format!("{SIGNING}/{one}"));
        let item = list.p50.as_micros() / size as u128;
        println!("{size:>9}   {:<26} {:<16} {}", list.to_string(), format!("{item} us"), get);
    }
    println!("\naims: 20 us an item at most, whatever the size; one key pair within 1 ms (p99)\n");
}

/// How long answers to one client took.
struct Times {
    p50: Duration,
    p99: Duration,
}

impl Times {
    fn of(daemon: &Daemon, path: &str) -> Self {
        let start = Instant::now();
        let mut times = Vec::new();
        while start.elapsed() < SPAN && times.len() < MOST {
            let asked = Instant::now();
            daemon.get(path).expect(200);
            times.push(asked.elapsed());
        }
        times.sort_unstable();
        let at = |hundredths: usize| times[(times.len() * hundredths / 100).min(times.len() - 1)];
        Self { p50: at(50), p99: at(99) }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "p50 {:.2} p99 {:.2} ms", milliseconds(self.p50), milliseconds(self.p99))
    }
}

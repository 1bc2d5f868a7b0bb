//! Outages of token and token hosts, and how soon everybody is served again.

mod blame;
mod frozen;
mod input;
mod locks;
mod lost_keys;
mod pin_file;
mod return_to_service;
mod signals;
mod wrong_signatures;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Answer, Configuration, Daemon, Faults, Launch, Scratch, Token, eventually};

/// How soon after the end of a fault everybody is served again.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// A daemon behind the fault module, ready, with keys that signers use.
struct Bench {
    token: Token,
    faults: Faults,
    configuration: Configuration,
    daemon: Daemon,
    keys: Vec<Key>,
    dir: Scratch,
}

/// A key that signs.
#[derive(Clone)]
struct Key {
    kid: String,
    algorithm: &'static str,
}

impl Bench {
    /// With two signing hosts, `count` EC keys, and a host patient for a second.
    fn new(count: usize, more_hosts: &str) -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let faults = Faults::new(&dir);
        let hosts = format!(
            "[hosts]\nsigning-hosts = 2\nsign-timeout = \"2s\"\ngenerate-timeout = \"20s\"\nlogin-timeout = \"10s\"\n{more_hosts}"
        );
        let configuration = Configuration::new(&dir, &token).with_faults(&faults).with(&hosts);
        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        eventually("all hosts", Duration::from_secs(30), || (daemon.hosts().len() == 3).then_some(()));
        let mut bench = Self { token, faults, configuration, daemon, keys: Vec::new(), dir };
        bench.keys = (0..count).map(|_| bench.key("p-256", "SHA256withECDSA")).collect();
        bench
    }

    fn key(&self, algorithm: &str, signature: &'static str) -> Key {
        let request = json!({"algorithm": algorithm});
        let made = self.daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json();
        Key { kid: made["kid"].as_str().expect("a kid").to_owned(), algorithm: signature }
    }

    fn sign(&self, key: &Key) -> Answer {
        sign(&self.daemon, key)
    }

    /// Waits until every key signs.
    fn all_sign_within(&self, limit: Duration) {
        for key in &self.keys {
            eventually(&format!("a signature by {}", key.kid), limit, || {
                (self.sign(key).status.as_u16() == 200).then_some(())
            });
        }
    }

    /// The host that makes keys.
    fn keeping_host(&self) -> u32 {
        let signing = self.daemon.signing_hosts();
        let others: Vec<u32> = self.daemon.hosts().into_iter().filter(|host| !signing.contains(host)).collect();
        *others.first().expect("a host that makes keys")
    }

    /// A measurement, the sum of its series; 0 where there is none.
    fn metric(&self, name: &str) -> f64 {
        let text = self.daemon.get("/metrics").expect(200).text();
        let of = |line: &&str| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}{{"));
        text.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Signs with every key in turn from `threads` threads while `work` is done; the answers by status.
    fn under_load(&self, threads: usize, work: impl FnOnce()) -> BTreeMap<u16, usize> {
        let (stop, counts) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (stop, counts) = (&stop, &counts);
                scope.spawn(move || {
                    for key in self.keys.iter().cycle().skip(thread) {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let status = self.sign(key).status.as_u16();
                        *counts.lock().unwrap().entry(status).or_default() += 1;
                    }
                });
            }
            work();
            stop.store(true, Ordering::Relaxed);
        });
        counts.into_inner().unwrap()
    }
}

fn sign(daemon: &Daemon, key: &Key) -> Answer {
    let request = json!({"algorithm": key.algorithm, "message": STANDARD.encode(b"what is to be signed")});
    daemon.call(Method::POST, &format!("/v1/keys/{}/sign", key.kid)).json(&request).send()
}

fn signal(process: u32, signal: Signal) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("a process to signal");
}

/// Whether a process is there and no zombie.
fn lives(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// How long something took.
fn timed(work: impl FnOnce()) -> Duration {
    let since = Instant::now();
    work();
    since.elapsed()
}

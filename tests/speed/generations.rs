//! Key pairs with their certificates, beside what the module makes alone.

use std::time::{Duration, Instant};

use super::harness::{Daemon, Scratch, Token, key_pair};
use super::{Served, module, per_second};

/// Seconds that one figure is measured, at least.
const SECONDS: u32 = 4;

/// Key algorithm and size, as requests name them.
const CASES: [(&str, u32); 2] = [("EC", 256), ("RSA", 2048)];

/// Prints one line for each key algorithm.
pub(crate) fn print() {
    println!("key        generate/s     sign/s one of each   HTTP, 1 client  HTTP, 8 clients");
    for (algorithm, size) in CASES {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let generate = module::generations(&token, algorithm, size, SECONDS);
        let sign = module::signatures(&token, 1, 1, SECONDS).rate;
        let both = 1.0 / (1.0 / generate + 1.0 / sign);
        let over_http = |clients: usize| {
            let rate = http_rate(&Served::with("").daemon, algorithm, size, clients);
            format!("{rate:.1}/s = {:.2}", rate / both)
        };
        let name = format!("{algorithm} {size}");
        println!("{name:<9} {generate:>11.1} {sign:>10.0} {both:>11.1} {:>16} {:>16}", over_http(1), over_http(8));
    }
    println!("\nratios: generations over HTTP, certificate included, to one raw generation plus one raw signature");
    println!("        on one session; the aim for EC 256 at 1 client is 0.5 or more\n");
}

fn http_rate(daemon: &Daemon, algorithm: &str, size: u32, clients: usize) -> f64 {
    let (request, span) = (key_pair(algorithm, Some(size)), Duration::from_secs(SECONDS.into()));
    daemon.generate(&request).expect(201);
    let start = Instant::now();
    let made: usize = std::thread::scope(|scope| {
        let client = || {
            let mut made = 0;
            while start.elapsed() < span {
                daemon.generate(&request).expect(201);
                made += 1;
            }
            made
        };
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        running.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    per_second(made, start.elapsed())
}

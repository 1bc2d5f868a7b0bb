//! What a daemon says and weighs while others ask.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::harness::{Daemon, block_on};

const EVERY: Duration = Duration::from_millis(100);

/// What was so at one moment.
pub struct Moment {
    /// Since the beginning.
    pub at: Duration,
    /// Signatures by the daemon's own count.
    pub signed: f64,
    /// Megabytes of the daemon; hosts come and go.
    pub resident: f64,
}

/// Looks at a daemon until told to end.
pub struct Watch {
    pub begun: Instant,
    end: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Moment>>,
}

impl Watch {
    pub fn start(daemon: &Daemon) -> Self {
        let (begun, end) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let (url, secret, pid) = (format!("{}/metrics", daemon.base()), daemon.secret().to_owned(), daemon.pid());
        let told = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            let client = reqwest::Client::new();
            let mut moments = Vec::new();
            while !told.load(Ordering::SeqCst) {
                std::thread::sleep(EVERY);
                let text = block_on(async {
                    let answer = client.get(&url).bearer_auth(&secret).send().await.ok()?;
                    answer.text().await.ok()
                });
                if let Some(signed) = text.as_deref().and_then(signed) {
                    moments.push(Moment { at: begun.elapsed(), signed, resident: resident(pid) });
                }
            }
            moments
        });
        Self { begun, end, thread }
    }

    pub fn end(self) -> Vec<Moment> {
        self.end.store(true, Ordering::SeqCst);
        self.thread.join().expect("the watch")
    }
}

fn signed(metrics: &str) -> Option<f64> {
    let signed = |line: &&str| line.starts_with("strongroom_signatures_total{") && line.contains("outcome=\"signed\"");
    metrics.lines().find(signed)?.rsplit(' ').next()?.parse().ok()
}

/// Resident megabytes of a process.
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

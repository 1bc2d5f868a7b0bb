//! What callers do while the module fails, and what they see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Call, Daemon};

const MESSAGE: &[u8] = b"what is signed while the module fails";

/// A key that signs, and its public half.
#[derive(Clone)]
pub struct Key {
    pub kid: String,
    spki: Vec<u8>,
}

/// What callers saw during one fault.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answers by status; 0 where there was none.
    pub statuses: BTreeMap<u16, usize>,
    pub wrong: usize,
    pub slowest: Duration,
    /// Until everybody was served again.
    pub back: Option<Duration>,
    /// Keys that were acknowledged and not deleted by these callers.
    pub acknowledged: BTreeSet<String>,
}

/// Callers at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    threads: Vec<JoinHandle<()>>,
}

impl Key {
    /// A new key.
    pub fn make(daemon: &Daemon) -> Self {
        Self::try_make(daemon).unwrap_or_else(|status| panic!("no key was made: {status}"))
    }

    /// A new key, or the status that came instead.
    pub fn try_make(daemon: &Daemon) -> Result<Self, u16> {
        let caller = Caller::of(daemon);
        let kid = caller.make()?;
        let pem = caller.call(Method::GET, &format!("/v1/keys/{kid}/public.pem")).send().expect(200).text();
        let base64: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
        Ok(Self { kid, spki: STANDARD.decode(base64).expect("PEM") })
    }

    /// Signs: the status, and whether the signature is right where there is one.
    pub fn sign(&self, daemon: &Daemon) -> (u16, bool) {
        Caller::of(daemon).sign(self)
    }
}

/// A client of the daemon.
#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    base: String,
    secret: String,
}

impl Caller {
    fn of(daemon: &Daemon) -> Self {
        let http = reqwest::Client::new();
        Self { http, base: daemon.base().to_owned(), secret: daemon.secret().to_owned() }
    }

    fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.http, method, format!("{}{path}", self.base), &self.secret)
    }

    fn make(&self) -> Result<String, u16> {
        let call = self.call(Method::POST, "/v1/keys").json(&json!({"algorithm": "p-256"}));
        let answer = call.try_send().map_err(|_| 0_u16)?;
        if answer.status.as_u16() != 201 {
            return Err(answer.status.as_u16());
        }
        Ok(answer.json()["kid"].as_str().expect("a kid").to_owned())
    }

    fn sign(&self, key: &Key) -> (u16, bool) {
        let request = json!({"algorithm": "SHA256withECDSA", "message": STANDARD.encode(MESSAGE)});
        let Ok(answer) = self.call(Method::POST, &format!("/v1/keys/{}/sign", key.kid)).json(&request).try_send()
        else {
            return (0, true);
        };
        let status = answer.status.as_u16();
        if status != 200 {
            return (status, true);
        }
        let signature = STANDARD.decode(answer.json()["signature"].as_str().expect("a signature")).expect("base64");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.spki);
        (status, public.verify(MESSAGE, &signature).is_ok())
    }
}

impl Load {
    /// Three signers, one who makes keys and deletes every other one, one who lists.
    pub fn start(daemon: &Daemon, keys: &[Key]) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let caller = Caller::of(daemon);
        let mut load = Self { stop, seen, threads: Vec::new() };
        for first in 0..3 {
            let (caller, keys) = (caller.clone(), keys.to_vec());
            let mut next = first;
            load.spawn(move |seen| {
                next += 1;
                let (status, right) = caller.sign(&keys[next % keys.len()]);
                if !right {
                    seen.lock().unwrap().wrong += 1;
                }
                status
            });
        }
        let maker = caller.clone();
        let mut made = 0;
        load.spawn(move |seen| match maker.make() {
            Ok(kid) => {
                made += 1;
                if made % 2 == 0 {
                    let deleted = maker.call(Method::DELETE, &format!("/v1/keys/{kid}")).try_send();
                    return deleted.map_or(0, |answer| answer.status.as_u16());
                }
                seen.lock().unwrap().acknowledged.insert(kid);
                201
            }
            Err(status) => status,
        });
        load.spawn(move |_| {
            std::thread::sleep(Duration::from_millis(50));
            caller.call(Method::GET, "/v1/keys").try_send().map_or(0, |answer| answer.status.as_u16())
        });
        load
    }

    fn spawn(&mut self, mut once: impl FnMut(&Mutex<Seen>) -> u16 + Send + 'static) {
        let (stop, seen) = (Arc::clone(&self.stop), Arc::clone(&self.seen));
        self.threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let since = Instant::now();
                let status = once(&seen);
                let mut seen = seen.lock().unwrap();
                *seen.statuses.entry(status).or_default() += 1;
                seen.slowest = seen.slowest.max(since.elapsed());
                drop(seen);
                if status != 200 {
                    // A refusal is answered at once; nobody gains by asking a thousand times a second.
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }));
    }

    /// Does something meanwhile, and ends.
    pub fn while_doing(self, work: impl FnOnce() -> Option<Duration>) -> Seen {
        let back = work();
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a caller");
        }
        let seen = self.seen.lock().unwrap().clone();
        Seen { back, ..seen }
    }
}

/// What acknowledged keys are lost: those that the list does not show or that do not sign.
pub fn lost(daemon: &Daemon, acknowledged: &BTreeSet<String>) -> Vec<String> {
    let caller = Caller::of(daemon);
    let request = json!({"algorithm": "SHA256withECDSA", "message": STANDARD.encode(MESSAGE)});
    let signs = |kid: &String| {
        let answer = caller.call(Method::POST, &format!("/v1/keys/{kid}/sign")).json(&request).try_send();
        answer.is_ok_and(|answer| answer.status.as_u16() == 200)
    };
    acknowledged.iter().filter(|kid| !signs(kid)).cloned().collect()
}

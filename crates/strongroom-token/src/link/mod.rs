//! The client's end: which host does which call, what is tried again and what never.
//!
//! Owns the child processes, their supervision, the queues before them and the rules for
//! calls whose host was lost. Does not own what a call does inside the token.
//!
//! Invariants: a generation is sent once and never again; a call that was in a worker's
//! hands when its host was lost runs alone when it is tried again; at most one host opens
//! the token at a time; a queue that is full says `Busy` at once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;

use crate::options::TokenOptions;
use crate::protocol::{OpenCall, TokenFacts};
use lane::Lane;
use process::HostProcess;
use recovery::Looks;
use supervise::PinTrust;
use suspects::Suspects;

mod calls;
mod decrypt;
pub(crate) mod first_call;
mod keep;
mod lane;
mod opening;
pub(crate) mod pin;
mod process;
mod recovery;
mod retry;
mod sign;
mod supervise;
mod suspects;
#[cfg(test)]
mod tests;

pub(crate) use opening::log_in_lock;

/// New keys whose first signature has not come; beyond it they are forgotten.
const MOST_FRESH: usize = 1024;
/// For a host to be replaced on a busy machine.
const REPLACEMENT: Duration = Duration::from_secs(5);
/// For hosts to end by themselves when they are told to.
const FAREWELL: Duration = Duration::from_secs(1);

/// Role of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Sign,
    /// Generates, imports, destroys and lists keys.
    Keep,
}

/// All hosts of one token.
pub(crate) struct Link {
    inner: Arc<Inner>,
    supervisors: Mutex<Vec<JoinHandle<()>>>,
}

/// What supervisors and calls share.
struct Inner {
    options: TokenOptions,
    signing: Lane,
    managing: Lane,
    pin: AsyncMutex<PinTrust>,
    /// Serialises the calls of the managing host, so that none waits inside it.
    manage_lock: AsyncMutex<()>,
    facts: Mutex<Option<Arc<TokenFacts>>>,
    /// Why no host can start until an operator acts.
    fatal_error: Mutex<Option<String>>,
    suspects: Suspects,
    /// What the latest opening took.
    opening_time: Mutex<Duration>,
    looks: AsyncMutex<Looks>,
    /// New keys, each with the host that generated it and still caches its handle.
    new_keys: Mutex<HashMap<Vec<u8>, Weak<HostProcess>>>,
    reconcile: watch::Sender<u64>,
    /// True once generations that wait shall not begin any more.
    ending: watch::Sender<bool>,
}

impl Link {
    /// Starts the hosts; needs a runtime.
    pub(crate) fn start(options: TokenOptions) -> Self {
        let hosts = options.hosts.clone();
        let inner = Arc::new(Inner {
            options,
            signing: Lane::new("sign", hosts.sign_queue),
            managing: Lane::new("generate", hosts.generate_queue),
            pin: AsyncMutex::default(),
            manage_lock: AsyncMutex::default(),
            facts: Mutex::default(),
            fatal_error: Mutex::default(),
            suspects: Suspects::default(),
            opening_time: Mutex::default(),
            looks: AsyncMutex::default(),
            new_keys: Mutex::default(),
            reconcile: watch::Sender::new(0),
            ending: watch::Sender::new(false),
        });
        let roles = if hosts.shared_host {
            vec![Role::Sign]
        } else {
            let signing = std::iter::repeat_n(Role::Sign, hosts.signing_hosts.max(1));
            signing.chain([Role::Keep]).collect()
        };
        let supervisors =
            roles.into_iter().map(|role| tokio::spawn(supervise::supervise(Arc::clone(&inner), role))).collect();
        Self { inner, supervisors: Mutex::new(supervisors) }
    }

    /// What the token said of itself when it was last opened.
    pub(crate) fn facts(&self) -> Option<Arc<TokenFacts>> {
        self.inner.facts.lock().clone()
    }

    /// Why there will be no host until an operator acts; `None` while there is hope.
    pub(crate) fn fatal_error(&self) -> Option<String> {
        self.inner.fatal_error.lock().clone()
    }

    /// How many hosts sign; or why none does, or why no host can be had that makes keys.
    pub(crate) fn state(&self) -> Result<usize, String> {
        if let Some(down) = self.inner.managing.hosts().down {
            return Err(down);
        }
        let hosts = self.inner.signing.hosts();
        if hosts.running.is_empty() {
            Err(hosts.down.unwrap_or_else(|| "its token hosts are starting".to_owned()))
        } else {
            Ok(hosts.running.len())
        }
    }

    /// The process ids of the hosts that take calls of `role`.
    pub(crate) fn pids(&self, role: Role) -> Vec<u32> {
        self.inner.lane(role).hosts().running.iter().map(|host| host.pid()).collect()
    }

    /// How many keys are suspected of taking down hosts.
    pub(crate) fn suspected_keys(&self) -> usize {
        self.inner.suspects.suspected()
    }

    /// Counts the occasions to reconcile.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.reconcile.subscribe()
    }

    /// Refuses generations that wait; the one under way goes on.
    pub(crate) fn refuse_generations(&self) {
        self.inner.ending.send_replace(true);
    }

    /// Ends all hosts, told to first, then killed, and waits until they are gone.
    pub(crate) async fn stop(&self) {
        for supervisor in self.abandon() {
            // It was aborted; until it is gone it may still add a host.
            let _ = supervisor.await;
        }
        let hosts: Vec<_> = self.inner.signing.clear().into_iter().chain(self.inner.managing.clear()).collect();
        for host in &hosts {
            host.close();
        }
        let all = || futures_util::future::join_all(hosts.iter().map(|host| host.ended()));
        if tokio::time::timeout(FAREWELL, all()).await.is_err() {
            for host in &hosts {
                host.kill();
            }
            // A process that the kernel will not let go is left behind.
            let _ = tokio::time::timeout(FAREWELL, all()).await;
        }
        self.inner.signing.set_down("stopped");
        self.inner.managing.set_down("stopped");
    }

    fn abandon(&self) -> Vec<JoinHandle<()>> {
        let supervisors = std::mem::take(&mut *self.supervisors.lock());
        for supervisor in &supervisors {
            supervisor.abort();
        }
        supervisors
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Inner {
    fn remember_new_key(&self, id: Option<Vec<u8>>, host: &Arc<HostProcess>) {
        let mut fresh = self.new_keys();
        if fresh.len() >= MOST_FRESH {
            fresh.clear();
        }
        fresh.extend(id.map(|id| (id, Arc::downgrade(host))));
    }

    fn new_keys(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Weak<HostProcess>>> {
        self.new_keys.lock()
    }

    /// How long a call waits for a host that is being replaced.
    fn patience(&self) -> Duration {
        self.options.hosts.sign_timeout.max(REPLACEMENT)
    }

    const fn lane(&self, role: Role) -> &Lane {
        match role {
            Role::Keep if !self.options.hosts.shared_host => &self.managing,
            Role::Keep | Role::Sign => &self.signing,
        }
    }

    fn opening(&self, role: Role) -> OpenCall {
        let hosts = &self.options.hosts;
        let keeps = hosts.shared_host || role == Role::Keep;
        // A host that does everything signs while it generates.
        let sessions = if role == Role::Keep { 1 } else { hosts.workers.max(1 + usize::from(hosts.shared_host)) };
        let registrations = Some(self.options.registrations());
        let low_priority = role == Role::Keep;
        OpenCall { registrations, sessions, keeps, low_priority, ..self.options.opening() }
    }

    fn set_fatal_error(&self, verdict: Option<String>) {
        *self.fatal_error.lock() = verdict;
    }

    fn set_facts(&self, facts: TokenFacts) {
        *self.facts.lock() = Some(Arc::new(facts));
    }

    fn became_ready(&self, role: Role) {
        if role == Role::Keep || self.options.hosts.shared_host {
            self.reconcile.send_modify(|occasions| *occasions += 1);
        }
    }

    fn stop_hosts(&self) {
        for host in self.signing.clear().into_iter().chain(self.managing.clear()) {
            host.kill();
        }
    }
}

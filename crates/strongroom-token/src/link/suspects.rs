//! Keys and algorithms in whose use hosts were lost, and whether that is held against them.
//!
//! A host that is lost says nothing of the key that it was working with: the module may crash
//! whatever it is asked, or somebody may have killed the process. A key is suspected only where
//! the hosts that did other work at the same time stayed well. A suspected key is refused for a
//! moment and then tried alone, again and again; its first success clears it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::error::TokenError;
use strongroom_domain::key::Locator;

/// Before a suspected key is tried again; doubled at each host that it takes down.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long a loss is remembered after which no other came.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How long a suspicion is remembered that nobody tests.
const SUSPECTED: Duration = Duration::from_secs(600);
/// The most keys that are watched, and hosts that are remembered.
const MOST_CASES: usize = 1024;
const MOST_LOST: usize = 256;

/// A `CKA_ID`, and the name of the algorithm that it was to be used with.
pub(super) type KeyAndAlgorithm = (Vec<u8>, &'static str);

/// How a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Together with others.
    Usual,
    /// In a host that does nothing else: the key is suspected, and this call tells.
    OnTrial,
}

/// What is known of keys that lost hosts.
#[derive(Default)]
pub(super) struct Suspects {
    known: Mutex<Known>,
    /// How many keys are watched; read on the way of every call.
    watched: AtomicUsize,
}

#[derive(Default)]
struct Known {
    cases: HashMap<KeyAndAlgorithm, Case>,
    /// Hosts that were lost lately, whatever they did.
    lost: VecDeque<(Instant, u32)>,
}

/// One key that lost hosts.
struct Case {
    opened: Instant,
    latest: Instant,
    /// The hosts that were lost with it.
    lost: HashSet<u32>,
    /// The hosts that did other work since.
    witnesses: HashSet<u32>,
    /// How often it was alone in a host that was lost.
    alone: u32,
    /// Whether other work was done since it was last alone.
    others: bool,
    /// Set once it is suspected.
    suspicion: Option<Suspicion>,
}

struct Suspicion {
    /// When the next call is let through.
    trial: Instant,
    wait: Duration,
}

impl Suspects {
    /// Whether a call with this key may be sent, and how. `limit` is what a call may take.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] while the key is suspected and not tried.
    pub(super) fn check(&self, key: &KeyAndAlgorithm, limit: Duration) -> Result<Trust, TokenError> {
        if self.watches_nothing() {
            return Ok(Trust::Usual);
        }
        let mut known = self.known();
        let Some(case) = known.cases.get_mut(key) else { return Ok(Trust::Usual) };
        let Some(suspicion) = &mut case.suspicion else { return Ok(Trust::Usual) };
        let now = Instant::now();
        if suspicion.trial <= now {
            // One at a time; should its caller leave, another comes after it.
            suspicion.trial = now + limit.saturating_mul(2);
            return Ok(Trust::OnTrial);
        }
        let detail = format!(
            "token hosts were lost with this key and algorithm while others stayed well: {}; it is tried again alone",
            case.lost.len()
        );
        Err(TokenError::Unavailable(detail))
    }

    /// Whether a key is suspected, on trial or not.
    pub(super) fn suspects(&self, key: &KeyAndAlgorithm) -> bool {
        !self.watches_nothing() && self.known().cases.get(key).is_some_and(|case| case.suspicion.is_some())
    }

    /// A host answered for a key, or did other work that may crash it.
    pub(super) fn answered(&self, key: Option<&KeyAndAlgorithm>, host: u32) {
        if self.watches_nothing() {
            return;
        }
        let mut known = self.known();
        if let Some((key, case)) = key.and_then(|key| known.cases.remove_entry(key))
            && case.suspicion.is_some()
        {
            tracing::info!(locator = ?locator(&key), algorithm = key.1, "a suspected key works again");
        }
        for case in known.cases.values_mut() {
            case.witnesses.insert(host);
            case.others = true;
        }
        self.recount(&known);
    }

    /// A trial came to an end that says nothing: no answer, and no host lost.
    pub(super) fn undecided(&self, key: &KeyAndAlgorithm) {
        if let Some(suspicion) = self.known().cases.get_mut(key).and_then(|case| case.suspicion.as_mut()) {
            suspicion.trial = Instant::now() + suspicion.wait;
        }
    }

    /// A host was lost while it worked with a key among others.
    pub(super) fn lost(&self, key: &KeyAndAlgorithm, host: u32) {
        let mut known = self.known();
        known.lose(host);
        known.case(key).lost.insert(host);
        self.recount(&known);
    }

    /// A host was lost while it worked with a key alone; `well` are the hosts that run.
    pub(super) fn lost_alone(&self, key: &KeyAndAlgorithm, host: u32, well: &[u32]) {
        let mut known = self.known();
        known.lose(host);
        let lost = known.lost.clone();
        let case = known.case(key);
        case.lost.insert(host);
        case.alone += 1;
        let elsewhere = lost.iter().any(|(when, host)| *when >= case.opened && !case.lost.contains(host));
        let stood_by = well.iter().any(|host| case.witnesses.contains(host));
        // Where there is one host only, its successors testify: others worked in each, and it died with this key.
        let each_time = case.alone > 1 && case.others;
        case.others = false;
        if let Some(suspicion) = &mut case.suspicion {
            suspicion.wait = (suspicion.wait * 2).min(LONGEST_WAIT);
            suspicion.trial = Instant::now() + suspicion.wait;
        } else if !elsewhere && (stood_by || each_time) {
            let hosts = case.lost.len();
            tracing::error!(locator = ?locator(key), algorithm = key.1, hosts, "token hosts are lost with a key while others stay well: it is refused but for trials");
            case.suspicion = Some(Suspicion { trial: Instant::now() + FIRST_WAIT, wait: FIRST_WAIT });
        }
        self.recount(&known);
    }

    /// A host was lost, whatever it did.
    pub(super) fn host_lost(&self, host: u32) {
        self.known().lose(host);
    }

    /// How many keys are suspected.
    pub(super) fn suspected(&self) -> usize {
        if self.watches_nothing() { 0 } else { self.known().suspected() }
    }

    fn watches_nothing(&self) -> bool {
        self.watched.load(Ordering::Relaxed) == 0
    }

    fn recount(&self, known: &Known) {
        self.watched.store(known.cases.len(), Ordering::Relaxed);
        let suspected = u32::try_from(known.suspected()).unwrap_or(u32::MAX);
        metrics::gauge!("strongroom_token_suspected_keys").set(suspected);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }
}

impl Known {
    fn suspected(&self) -> usize {
        self.cases.values().filter(|case| case.suspicion.is_some()).count()
    }

    fn lose(&mut self, host: u32) {
        if !self.lost.iter().any(|(_, known)| *known == host) {
            self.lost.push_back((Instant::now(), host));
        }
        while self.lost.len() > MOST_LOST {
            self.lost.pop_front();
        }
    }

    /// The case of a key, opened where there is none.
    fn case(&mut self, key: &KeyAndAlgorithm) -> &mut Case {
        let now = Instant::now();
        self.cases
            .retain(|_, case| case.latest.elapsed() < if case.suspicion.is_some() { SUSPECTED } else { REMEMBERED });
        if self.cases.len() >= MOST_CASES {
            self.cases.retain(|_, case| case.suspicion.is_some());
        }
        let case = self.cases.entry(key.clone()).or_insert_with(|| Case {
            opened: now,
            latest: now,
            lost: HashSet::new(),
            witnesses: HashSet::new(),
            alone: 0,
            others: false,
            suspicion: None,
        });
        case.latest = now;
        case
    }
}

fn locator(key: &KeyAndAlgorithm) -> Option<Locator> {
    Locator::from_bytes(&key.0).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{KeyAndAlgorithm, Suspects, Trust};
    use crate::error::TokenError;

    const LIMIT: Duration = Duration::from_secs(5);

    fn key(number: u8) -> KeyAndAlgorithm {
        (vec![number; 16], "SHA256withECDSA")
    }

    fn is_refused(suspects: &Suspects, key: &KeyAndAlgorithm) -> bool {
        matches!(suspects.check(key, LIMIT), Err(TokenError::Unavailable(_)))
    }

    #[test]
    fn key_is_suspected_where_a_host_with_other_work_stayed_well() {
        let suspects = Suspects::default();
        suspects.lost(&key(1), 11);
        suspects.answered(Some(&key(2)), 12);
        suspects.lost_alone(&key(1), 13, &[12]);
        assert!(is_refused(&suspects, &key(1)) && !is_refused(&suspects, &key(2)));
        assert_eq!(suspects.suspected(), 1);
    }

    #[test]
    fn nothing_is_suspected_where_hosts_died_without_the_key_or_did_nothing() {
        let suspects = Suspects::default();
        suspects.lost(&key(1), 11);
        suspects.lost_alone(&key(1), 12, &[13]);
        assert!(!is_refused(&suspects, &key(1)), "the host that is well did nothing");
        suspects.answered(Some(&key(2)), 13);
        suspects.host_lost(14);
        suspects.lost_alone(&key(1), 15, &[13]);
        assert!(!is_refused(&suspects, &key(1)), "another host was lost without the key");
    }

    #[test]
    fn successors_of_a_single_host_testify_by_their_work() {
        let suspects = Suspects::default();
        suspects.lost(&key(1), 11);
        suspects.lost_alone(&key(1), 12, &[]);
        assert!(!is_refused(&suspects, &key(1)));
        suspects.answered(Some(&key(2)), 13);
        suspects.lost_alone(&key(1), 13, &[]);
        assert!(is_refused(&suspects, &key(1)));
    }

    #[test]
    fn success_clears_a_key_and_a_trial_is_one_call() {
        let suspects = Suspects::default();
        suspects.lost(&key(1), 11);
        suspects.answered(Some(&key(2)), 12);
        suspects.lost_alone(&key(1), 13, &[12]);
        std::thread::sleep(super::FIRST_WAIT);
        assert_eq!(suspects.check(&key(1), LIMIT).ok(), Some(Trust::OnTrial));
        assert!(is_refused(&suspects, &key(1)), "one trial at a time");
        suspects.answered(Some(&key(1)), 14);
        assert_eq!(suspects.check(&key(1), LIMIT).ok(), Some(Trust::Usual));
        assert_eq!(suspects.suspected(), 0);
    }
}

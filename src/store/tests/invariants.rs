//! Random histories: whatever is asked for, the invariants hold after each step.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// One thing that a caller tries, on one of the keys made so far.
#[derive(Clone, Debug)]
enum Step {
    Reserve {
        ring: Option<usize>,
        claimed: bool,
    },
    Commit {
        key: usize,
        to: KeyState,
    },
    Move {
        key: usize,
        to: KeyState,
        reactivate: bool,
    },
    /// A move by a caller who has not seen the latest change.
    Late {
        key: usize,
        to: KeyState,
    },
    Mark {
        key: usize,
        missing: bool,
    },
}

const RINGS: [&str; 3] = ["signing:a", "connection:b", "web-keys"];

fn step() -> impl Strategy<Value = Step> {
    let key = 0..8_usize;
    let to = || proptest::sample::select(&KeyState::ALL[..]);
    prop_oneof![
        3 => (proptest::option::weighted(0.9, 0..RINGS.len()), any::<bool>())
            .prop_map(|(ring, claimed)| Step::Reserve { ring, claimed }),
        4 => (key.clone(), to()).prop_map(|(key, to)| Step::Commit { key, to }),
        6 => (key.clone(), to(), any::<bool>()).prop_map(|(key, to, reactivate)| Step::Move { key, to, reactivate }),
        1 => (key.clone(), to()).prop_map(|(key, to)| Step::Late { key, to }),
        1 => (key, any::<bool>()).prop_map(|(key, missing)| Step::Mark { key, missing }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_through_every_history(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _place) = sqlite::open().await;
            let mut history = History::default();
            for (n, step) in steps.iter().enumerate() {
                let now = at(i64::try_from(n).unwrap());
                let changed = history.take(&store, step, now).await;
                history.check(&store, changed).await;
            }
            store.close().await;
        });
    }
}

/// What the store is known to hold.
#[derive(Default)]
struct History {
    keys: Vec<KeyId>,
    rows: HashMap<KeyId, KeyPair>,
    epoch: i64,
    events: usize,
}

/// What a step ought to have changed.
#[derive(PartialEq)]
enum Changed {
    Nothing,
    /// A row that nobody can see yet.
    Reservation,
    /// A row that caches may know.
    Row,
}

impl History {
    async fn take(&mut self, store: &Store, step: &Step, now: Timestamp) -> Changed {
        let audit = [event(Action::Created, None)];
        let outcome = match step {
            Step::Reserve { ring: at_ring, claimed } => {
                let name = at_ring.map(|n| ring(RINGS[n]));
                let idempotency = claimed.then(|| claim(store, b"body", now.plus(Duration::from_secs(10))));
                let wish = NewReservation { idempotency, ..new(name.as_ref(), now) };
                let id = wish.id;
                match store.reserve(wish, &audit).await.unwrap() {
                    ReserveOutcome::Reserved(_) => {
                        self.keys.push(id);
                        Changed::Reservation
                    }
                    _ => Changed::Nothing,
                }
            }
            Step::Commit { key, to } => match self.key(*key) {
                Some(pair) => moved_or_refused(&pair, *to, store.commit(commit_of(&pair, *to, now), &audit).await),
                None => Changed::Nothing,
            },
            Step::Move { key, to, reactivate } => match self.key(*key) {
                Some(pair) => {
                    let transition = Transition { reactivate: *reactivate, ..move_of(&pair, *to, now) };
                    moved_or_refused(&pair, *to, store.transition(transition, &audit).await)
                }
                None => Changed::Nothing,
            },
            Step::Late { key, to } => {
                if let Some(pair) = self.key(*key) {
                    let late = Transition { version: pair.version - 1, ..move_of(&pair, *to, now) };
                    assert!(is_conflict(&store.transition(late, &audit).await));
                }
                Changed::Nothing
            }
            Step::Mark { key, missing } => match self.key(*key) {
                Some(pair) => {
                    let seen = if *missing { TokenPresence::Missing { since: now } } else { TokenPresence::Found };
                    if store.set_presence(pair.id, seen, &audit).await.is_ok() {
                        Changed::Row
                    } else {
                        Changed::Nothing
                    }
                }
                None => Changed::Nothing,
            },
        };
        self.events += usize::from(outcome != Changed::Nothing);
        outcome
    }

    fn key(&self, n: usize) -> Option<KeyPair> {
        // Counted from the latest, so that most steps meet keys that still live.
        self.keys.iter().rev().nth(n).map(|id| self.rows[id].clone())
    }

    async fn check(&mut self, store: &Store, changed: Changed) {
        let rows = store.page(None, at(0), 1000).await.unwrap();
        assert_eq!(rows.len(), self.keys.len(), "no row is ever lost");
        let epoch = store.epoch().await.unwrap();
        assert_eq!(epoch - self.epoch, i64::from(changed == Changed::Row));
        assert_eq!(trail(store).await.len(), self.events);

        let mut others = 0;
        for row in &rows {
            let Some(before) = self.rows.get(&row.id) else {
                others += 1;
                continue;
            };
            if row != before && !is_succeeded(before, row) {
                others += 1;
                assert_eq!(row.version, before.version + 1);
                assert!(row.state == before.state || before.state.may_become(row.state, true));
            }
        }
        assert_eq!(others, usize::from(changed != Changed::Nothing), "a step changes one row or none");

        for name in RINGS.map(ring) {
            let of_ring: Vec<&KeyPair> = rows.iter().filter(|row| row.ring.as_ref() == Some(&name)).collect();
            assert!(of_ring.iter().filter(|row| row.is_current()).count() <= 1);
            assert!(of_ring.iter().filter(|row| row.state.reserves_ring_id()).count() <= 1);
            let visible = store.ring(&name).await.unwrap();
            assert_eq!(visible.len(), of_ring.iter().filter(|row| row.state.is_visible()).count());
        }
        self.epoch = epoch;
        self.rows = rows.into_iter().map(|row| (row.id, row)).collect();
    }
}

/// Whether all that changed of a row is that another key became Active in its ring.
fn is_succeeded(before: &KeyPair, row: &KeyPair) -> bool {
    let suspended = before.suspended_from == Some(KeyState::Active)
        && row.suspended_from == Some(KeyState::Deactivated)
        && row.state == before.state;
    suspended || KeyPair { awaits_successor: false, ..before.clone() } == *row
}

/// A refusal is one of the two that a caller can cause; a success is what was asked for.
fn moved_or_refused(before: &KeyPair, to: KeyState, outcome: Result<KeyPair, StoreError>) -> Changed {
    match outcome {
        Ok(pair) => {
            assert_eq!((pair.id, pair.state), (before.id, to));
            assert!(before.state.may_become(to, true));
            Changed::Row
        }
        // Every key of these histories has the same public half.
        Err(StoreError::Conflict | StoreError::Forbidden { .. } | StoreError::Compromised) => Changed::Nothing,
        Err(other) => panic!("{other}"),
    }
}

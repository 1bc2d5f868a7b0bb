//! The scheduler: when sweeps are made.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Rotation;
use super::sweep::SweepOutcome;
use crate::auth::{Caller, Task};
use strongroom_domain::clock::random;
use strongroom_domain::error::Error;
use strongroom_domain::key::RingKind;

/// Between looks at whether something has changed here.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the first sweep waits for providers to be ready.
const PROVIDERS_WITHIN: Duration = Duration::from_secs(60);
/// Between looks at whether they are.
const LOOK_FOR_PROVIDERS: Duration = Duration::from_millis(100);
/// After a sweep that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Kinds of rings whose policy may come from the configuration alone.
const CONFIGURED: [RingKind; 2] = [RingKind::Connection, RingKind::WebKeys];

impl Rotation {
    /// Sweeps at once, about every `interval`, and soon after a change, until `stop` says so: then a
    /// step that has begun is finished, and no other begun.
    pub async fn run_scheduler(&self, interval: Duration, mut stop: watch::Receiver<bool>) {
        let mut planned_anew = false;
        self.await_providers(stop.clone()).await;
        while !*stop.borrow() {
            let wait = match self.run_once(&mut planned_anew, &stop).await {
                Ok(()) => jittered(interval),
                Err(failure) => {
                    tracing::warn!(error = %failure, "a sweep failed");
                    RETRY_AFTER.min(interval)
                }
            };
            let (seen, wake) = (self.store.revision(), Instant::now() + wait);
            while Instant::now() < wake {
                let look = (Instant::now() + LOOK_EVERY).min(wake);
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return,
                    () = tokio::time::sleep_until(look) => {}
                }
                if self.store.revision() != seen {
                    break;
                }
            }
        }
    }

    /// Waits a while for providers that have just been started, lest what they are needed for fails first.
    async fn await_providers(&self, mut stop: watch::Receiver<bool>) {
        let who = Caller::daemon(Task::Sweep);
        let ready = async {
            let all = || self.keyring.capabilities(&who).is_ok_and(|all| all.iter().all(|(_, able)| able.is_some()));
            while !all() {
                tokio::time::sleep(LOOK_FOR_PROVIDERS).await;
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(PROVIDERS_WITHIN) => tracing::debug!("rotation begins without its providers"),
            () = ready => {}
        }
    }

    async fn run_once(&self, planned_anew: &mut bool, stop: &watch::Receiver<bool>) -> Result<(), Error> {
        if !*planned_anew {
            for kind in CONFIGURED {
                self.store.make_kind_due(kind).await?;
            }
            *planned_anew = true;
        }
        let sweep = self.sweep_until(Some(stop)).await?;
        if sweep.postponed > 0 {
            tracing::warn!(postponed = sweep.postponed, "more keys are due for destruction than one sweep may destroy");
        }
        if sweep.outcome == SweepOutcome::Elsewhere {
            tracing::debug!("another daemon sweeps");
        }
        Ok(())
    }
}

/// A duration within a tenth, so that daemons that were started together do not stay together.
fn jittered(interval: Duration) -> Duration {
    let dice = random::<2>().map_or(u16::MAX / 2, u16::from_le_bytes);
    interval.mul_f64(0.2_f64.mul_add(f64::from(dice) / f64::from(u16::MAX), 0.9))
}

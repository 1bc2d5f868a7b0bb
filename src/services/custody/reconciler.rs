//! The background of reconcile: when a pass is made.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Finding, ReconcileMode, ReconcileReport, Reconciler};
use strongroom_domain::error::Error;

/// Between looks for unfinished rows.
const FINISH_EVERY: Duration = Duration::from_secs(60);
/// Between looks at the whole token; a key that appeared late is found by then.
const INVENTORY_EVERY: Duration = Duration::from_secs(24 * 3600);
/// After an inventory that must be confirmed by a second one.
const CONFIRM_AFTER: Duration = Duration::from_secs(61);
/// After a pass that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Reconciler {
    /// Reconciles at once, when asked, and by the clock, until `stop` says so.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut next_inventory = Instant::now();
        let mut saw_broken = false;
        loop {
            let inventory =
                self.keyring.inventory_due.swap(false, Ordering::SeqCst) || Instant::now() >= next_inventory;
            let wait = match self.pass(inventory, saw_broken).await {
                Ok(report) => {
                    if inventory {
                        publish(&report);
                        saw_broken = report.findings.iter().any(|f| matches!(f, Finding::Broken { mended: false, .. }));
                        let confirm = saw_broken || report.findings.iter().any(is_unconfirmed);
                        next_inventory = Instant::now() + if confirm { CONFIRM_AFTER } else { INVENTORY_EVERY };
                    }
                    let unfinished = report.findings.iter().filter(|finding| is_unfinished(finding)).count();
                    gauge("strongroom_keys_unfinished", unfinished);
                    if unfinished > 0 { RETRY_AFTER } else { FINISH_EVERY }
                }
                Err(failure) => {
                    tracing::debug!(error = %failure, "reconcile waits");
                    self.keyring.inventory_due.fetch_or(inventory, Ordering::SeqCst);
                    RETRY_AFTER
                }
            };
            let wake = (Instant::now() + wait).min(next_inventory.max(Instant::now() + RETRY_AFTER));
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.keyring.reconcile_due.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    async fn pass(&self, inventory: bool, broken: bool) -> Result<ReconcileReport, Error> {
        let mode = ReconcileMode::Repair { broken };
        if !inventory {
            return Ok(ReconcileReport { findings: self.finish_unfinished(mode).await?, ..ReconcileReport::default() });
        }
        let report = self.reconcile(mode).await?;
        for finding in &report.findings {
            tracing::info!("reconcile: {finding}");
        }
        Ok(report)
    }
}

const fn is_unfinished(finding: &Finding) -> bool {
    matches!(finding, Finding::Unfinished { mended: false, .. })
}

const fn is_unconfirmed(finding: &Finding) -> bool {
    matches!(finding, Finding::Missing { established: false, .. })
}

fn publish(report: &ReconcileReport) {
    let count = |wanted: fn(&Finding) -> bool| report.findings.iter().filter(|finding| wanted(finding)).count();
    gauge("strongroom_token_orphans", count(|f| matches!(f, Finding::Orphan { .. })));
    gauge("strongroom_token_broken_objects", count(|f| matches!(f, Finding::Broken { mended: false, .. })));
    gauge("strongroom_keys_missing", count(|f| matches!(f, Finding::Missing { established: true, .. })));
}

#[allow(clippy::cast_precision_loss, reason = "counts of objects stay far below 2^52")]
fn gauge(name: &'static str, count: usize) {
    metrics::gauge!(name).set(count as f64);
}

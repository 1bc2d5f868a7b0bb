//! What operators see of rotation in the metrics.

use std::time::Instant;

use super::plan::Step;
use super::sweep::{SweepOutcome, SweepResult};
use crate::store::Agenda;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::Error;

/// Measures one sweep.
pub(super) struct SweepTimer(Instant);

impl SweepTimer {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn end(self, outcome: &Result<SweepResult, Error>) {
        let word = outcome.as_ref().map_or("failed", |sweep| sweep.outcome.name());
        metrics::counter!("strongroom_rotation_sweeps_total", "outcome" => word).increment(1);
        metrics::histogram!("strongroom_rotation_sweep_duration_seconds").record(self.0.elapsed());
        let well =
            matches!(outcome, Ok(SweepResult { outcome: SweepOutcome::Done, failures, .. }) if failures.is_empty());
        if !matches!(outcome, Ok(SweepResult { outcome: SweepOutcome::Elsewhere, .. })) {
            metrics::gauge!("strongroom_rotation_last_sweep_success").set(f64::from(u8::from(well)));
        }
    }
}

/// That a sweep came to its end.
pub(super) fn swept(at: Timestamp) {
    metrics::gauge!("strongroom_rotation_last_sweep_timestamp_seconds").set(seconds(at));
}

/// A step that was carried out.
pub(super) fn step(step: &Step) {
    let (kind, early) = (step.kind.name(), if step.early { "true" } else { "false" });
    metrics::counter!("strongroom_rotation_steps_total", "kind" => kind, "early" => early).increment(1);
}

/// A step that failed.
pub(super) fn failure() {
    metrics::counter!("strongroom_rotation_failures_total").increment(1);
}

/// Whether sweeps are held back.
pub(super) fn held(held: bool) {
    metrics::gauge!("strongroom_rotation_held").set(f64::from(u8::from(held)));
}

/// What awaits the sweeps: rings that are due although one has just been made, and when the next ring is.
pub(super) fn agenda(agenda: Agenda) {
    #[allow(clippy::cast_precision_loss, reason = "counts of rings stay far below 2^52")]
    metrics::gauge!("strongroom_rotation_rings_due").set(agenda.due as f64);
    metrics::gauge!("strongroom_rotation_next_timestamp_seconds").set(agenda.next.map_or(0.0, seconds));
}

#[allow(clippy::cast_precision_loss, reason = "a gauge is a float; microseconds of this era fit")]
fn seconds(moment: Timestamp) -> f64 {
    moment.as_micros() as f64 / 1e6
}

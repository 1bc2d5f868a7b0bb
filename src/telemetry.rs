//! Logs and metrics of the process: set up once, at the entrance.
//!
//! Logs go to stderr: for people when it is a terminal, one JSON object a line
//! otherwise. `STRONGROOM_LOG` takes directives such as `debug` or
//! `strongroom::provider=trace`.

use std::io::IsTerminal as _;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Bounds of histograms, in seconds: from a cached signature to an RSA key.
const BUCKETS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What is logged where `STRONGROOM_LOG` does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// A daemon and its token hosts: what happens.
    Daemon,
    /// A command: what goes wrong, beside what it prints.
    Command,
}

/// Starts logging, including records of the `log` crate.
pub fn start_logging(verbosity: Verbosity) {
    let default = match verbosity {
        Verbosity::Daemon => "info,cryptoki=off,sqlx=warn,hyper=warn",
        Verbosity::Command => "warn,cryptoki=off",
    };
    let filter = EnvFilter::try_from_env("STRONGROOM_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal);
    let started =
        if terminal { builder.try_init() } else { builder.json().flatten_event(true).with_span_list(false).try_init() };
    // A second start in one process (tests) keeps the first.
    drop(started);
}

/// Starts the recorder of metrics and gives the handle that renders them.
///
/// # Errors
/// When another recorder is there already.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    Ok(handle)
}

/// Folds what histograms have gathered, so that it does not grow while nobody asks.
pub async fn run_metrics_upkeep(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests;

//! `daemon reconcile`: what token and store do not agree on, and its mending.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{block_on, dev, fail};
use crate::config::Config;
use crate::daemon::Offline;
use crate::services::custody::{Finding, ReconcileMode};

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Source {
    /// The configuration file of the daemon
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of a `daemon dev` set-up
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Source {
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        match (&self.config, &self.data) {
            (Some(file), _) => Ok(Config::load(file)?),
            (None, Some(data)) => dev::existing(data),
            (None, None) => anyhow::bail!("give --config FILE or --data DIR"),
        }
    }
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Finish reservations and destructions that nobody is finishing, and remove what they left
    #[arg(long)]
    repair: bool,
}

/// Exits 0 when token and store agree in the end, 1 otherwise.
#[allow(clippy::print_stdout, reason = "the findings are the command's output")]
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let outcome = arguments.source.load().and_then(|config| {
        block_on(async {
            let offline = Offline::open(&config).await?;
            // With the daemon stopped no generation can be under way, so half-made objects are leftovers.
            let mode = if arguments.repair {
                ReconcileMode::Repair { broken: offline.holds_lock() }
            } else {
                ReconcileMode::ReportOnly
            };
            let report = offline.reconciler().reconcile(mode).await;
            offline.close().await;
            Ok(report?)
        })
    });
    let report = match outcome {
        Ok(report) => report,
        Err(failure) => return fail(&failure),
    };
    for finding in &report.findings {
        println!("{finding}");
    }
    let open = report.findings.iter().filter(|finding| !finding.is_mended()).count();
    println!("{} keys in the store, {} objects in the token, {open} open findings", report.rows, report.objects);
    let mendable = report.findings.iter().any(|f| matches!(f, Finding::Unfinished { .. } | Finding::Leftover { .. }));
    if mendable && !arguments.repair {
        println!("`strongroom reconcile --repair` finishes what is unfinished");
    }
    if open == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! `daemon rotation`: what rotation would do and when, one sweep by hand, and the word
//! that a clock is right after all.

use std::process::ExitCode;

use serde_json::json;

use super::reconcile::Source;
use super::{block_on, fail};
use crate::auth::{Caller, Task};
use crate::daemon::StoreOnly;
use crate::services::rotation::{RingPlan, Step};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::RingId;

/// Rings that are read at a time.
const PAGE: u32 = 100;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Print what would happen to each key ring, when and why; changes nothing and needs no token
    Plan {
        #[command(flatten)]
        source: Source,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that the clock is right, after sweeps were held back because of it
    Resume {
        #[command(flatten)]
        source: Source,
    },
}

pub(super) fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::Plan { source, json } => plan(source, *json),
        Command::Resume { source } => resume(source),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

#[allow(clippy::print_stdout, reason = "the plan is the command's output")]
fn plan(source: &Source, as_json: bool) -> anyhow::Result<()> {
    let config = source.load()?;
    let (outlooks, now) = block_on(async {
        let bystander = StoreOnly::open(&config).await?;
        let outlooks = outlooks(&bystander).await;
        let now = bystander.now();
        bystander.close().await;
        Ok((outlooks?, now))
    })?;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&document(&outlooks, now))?);
        return Ok(());
    }
    let rows: Vec<[String; 4]> = outlooks.iter().flat_map(|outlook| rows(outlook, now)).collect();
    let width = |column: fn(&[String; 4]) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (ring, when, what) = (width(|[ring, ..]| ring), width(|[_, when, ..]| when), width(|[_, _, what, _]| what));
    for [name, moment, step, why] in &rows {
        println!("{name:ring$}  {moment:when$}  {step:what$}  {why}");
    }
    let idle = outlooks.iter().filter(|outlook| outlook.plan.steps.is_empty()).count();
    println!("{} key rings, {idle} of them with nothing planned", outlooks.len());
    Ok(())
}

/// Every ring with its plan, by id; one that goes meanwhile is left out.
async fn outlooks(bystander: &StoreOnly) -> anyhow::Result<Vec<RingPlan>> {
    let (who, mut after, mut outlooks) = (Caller::daemon(Task::Command), None::<RingId>, Vec::new());
    loop {
        let (rings, next) = bystander.keyring().rings(&who, after.as_ref(), PAGE).await?;
        for ring in &rings {
            match bystander.rotation().ring_plan(&who, ring).await {
                Ok(outlook) => outlooks.push(outlook),
                Err(failure) if failure.kind() == strongroom_domain::error::ErrorKind::NotFound => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(outlooks),
        }
    }
}

fn rows(outlook: &RingPlan, now: Timestamp) -> impl Iterator<Item = [String; 4]> {
    outlook.plan.steps.iter().map(move |step| {
        let when = if step.at <= now { "now".to_owned() } else { step.at.to_string() };
        let early = if step.early { " (early)" } else { "" };
        let key = step.kind.key().map(|key| format!(" {key}")).unwrap_or_default();
        let what = format!("{}{early}{key}", step.kind.name());
        [outlook.ring.id.to_string(), when, what, step.reason.clone()]
    })
}

fn document(outlooks: &[RingPlan], now: Timestamp) -> serde_json::Value {
    let step = |step: &Step| {
        json!({
            "kind": step.kind.name(), "keyId": step.kind.key().map(|key| key.to_string()), "at": step.at.to_string(),
            "due": step.at <= now, "early": step.early, "reason": step.reason,
        })
    };
    let ring = |outlook: &RingPlan| {
        let steps: Vec<_> = outlook.plan.steps.iter().map(step).collect();
        json!({ "id": outlook.ring.id.to_string(), "steps": steps })
    };
    json!({ "now": now.to_string(), "keyRings": outlooks.iter().map(ring).collect::<Vec<_>>() })
}

#[allow(clippy::print_stdout, reason = "the command's output")]
fn resume(source: &Source) -> anyhow::Result<()> {
    let config = source.load()?;
    block_on(async {
        let bystander = StoreOnly::open(&config).await?;
        let resumed = bystander.rotation().resume(&Caller::daemon(Task::Command)).await;
        let now = bystander.now();
        bystander.close().await;
        resumed?;
        println!("rotation goes on: the last sweep counts as one of {now}");
        Ok(())
    })
}

#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::process::Command;

use super::{Verbosity, start_logging};

/// Set in the process that logs.
const LOGS: &str = "TELEMETRY_LOGS";

/// Logging is of the whole process: another one starts it and makes the records.
fn logged(directives: Option<&str>) -> String {
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", "telemetry::tests::records_of_the_log_crate_reach_the_log"]).env(LOGS, "");
    match directives {
        Some(directives) => again.env("STRONGROOM_LOG", directives),
        None => again.env_remove("STRONGROOM_LOG"),
    };
    let output = again.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn records_of_the_log_crate_reach_the_log() {
    if env::var_os(LOGS).is_some() {
        start_logging(Verbosity::Daemon);
        log::warn!(target: "sqlx::pool", "of sqlx");
        log::info!(target: "sqlx::pool", "idle");
        log::error!(target: "cryptoki::object", "of cryptoki");
        tracing::info!("of the daemon");
        return;
    }
    let usual = logged(None);
    let record = usual.lines().find(|line| line.contains("of sqlx")).unwrap();
    assert!(record.starts_with('{') && record.contains(r#""level":"WARN""#), "{record}");
    assert!(record.contains("sqlx::pool"), "the record's own target: {record}");
    assert!(usual.contains("of the daemon"), "{usual}");
    assert!(!usual.contains("idle") && !usual.contains("of cryptoki"), "{usual}");
    let asked_for = logged(Some("off,cryptoki=error"));
    assert!(asked_for.contains("of cryptoki") && !asked_for.contains("of sqlx"), "{asked_for}");
}

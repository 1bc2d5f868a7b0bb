#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::process::Command;
use std::time::Duration;

use super::passage;

const VARIABLE: &str = "STRONGROOM_TEST_AT";

/// Runs this test again in a process of its own, where the variable stops it at its point.
#[test]
fn the_variable_is_heard_by_a_build_with_the_hooks_and_by_no_other() {
    if env::var_os(VARIABLE).is_some() {
        assert_eq!(passage("elsewhere"), Ok(Duration::ZERO));
        assert_eq!(passage("here"), Ok(Duration::ZERO), "the first passage");
        assert_eq!(passage("here"), Ok(Duration::ZERO), "the second passage aborts where there are hooks");
        return;
    }
    let name = "failpoint::tests::the_variable_is_heard_by_a_build_with_the_hooks_and_by_no_other";
    let again = Command::new(env::current_exe().unwrap())
        .args(["--exact", name])
        .env(VARIABLE, "here#2=abort")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("running 1 test"), "{said}");
    assert_eq!(again.status.success(), !cfg!(feature = "test-hooks"), "{said}");
}

//! Where the keys of a test are that does not care: in a fresh token, or LOCAL in the store for `make quick`; and
//! where the store is: in a file, or in PostgreSQL.

use std::env;

const VARIABLE: &str = "STRONGROOM_TEST_KEYS";

/// Whether tests that do not care have LOCAL keys and no token.
pub fn on_local_keys() -> bool {
    match env::var(VARIABLE).as_deref() {
        Err(_) | Ok("" | "HSM") => false,
        Ok("LOCAL") => true,
        Ok(other) => panic!("{VARIABLE} is HSM or LOCAL, not {other}"),
    }
}

/// The crypto provider of tests that do not care.
pub fn provider() -> &'static str {
    if on_local_keys() { "LOCAL" } else { "HSM" }
}

const STORE: &str = "STRONGROOM_TEST_STORE";

/// Whether daemons keep their store in PostgreSQL, each test in a schema of its own.
pub fn on_postgres() -> bool {
    match env::var(STORE).as_deref() {
        Err(_) | Ok("" | "sqlite") => false,
        Ok("postgres") => true,
        Ok(other) => panic!("{STORE} is sqlite or postgres, not {other}"),
    }
}

/// Fails a test that wants a token in the lane that has none.
#[track_caller]
pub fn assert_token_allowed() {
    assert!(!on_local_keys(), "this test needs a token, and {VARIABLE} says LOCAL: name it in tests/left-out-of-quick");
}

//! Body of the fuzz target for this dialect's requests: `fuzz/` gives it bytes, and a test replays its seeds.

use super::body::{object, of_form, of_json};
use super::connections::{ConnectionChange, NewConnection};
use super::rules;

/// Reads the bytes as every body that the dialect knows; options that are kept are read from what is shown of them.
///
/// # Panics
/// When kept options are not read again as they are.
pub fn bodies(data: &[u8]) {
    drop((of_json(data), of_form(data)));
    drop(object::<ConnectionChange>(data));
    let Ok(Some(wanted)) = object::<NewConnection>(data) else { return };
    let Ok(connection) = rules::connection(wanted) else { return };
    let shown = serde_json::to_string(&connection.options).ok();
    let again = shown.as_deref().and_then(|text| serde_json::from_str(text).ok());
    assert_eq!(again, Some(connection.options));
}

#[test]
fn seeds_of_bodies_hold() {
    crate::http::fuzz::replay("auth0_bodies", bodies);
}

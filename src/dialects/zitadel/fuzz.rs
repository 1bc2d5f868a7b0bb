//! Body of the fuzz target for this dialect's requests: `fuzz/` gives it bytes, and a test replays its seeds.

use super::wire::{CreateWebKey, Empty, NamedWebKey, Unspecified, check_id};
use crate::http::fuzz::read;

/// Reads the bytes as every body that the dialect knows.
///
/// # Panics
/// When a key that may leave nothing open is refused where it may.
pub fn bodies(data: &[u8]) {
    read::<Empty>(data);
    if let Some(NamedWebKey { id: Some(id) }) = read(data) {
        drop(check_id("DeleteWebKeyRequest", &id));
    }
    if let Some(wanted) = read::<CreateWebKey>(data)
        && wanted.read(Unspecified::Refused).is_ok()
    {
        assert!(wanted.read(Unspecified::Default).is_ok());
    }
}

#[test]
fn seeds_of_bodies_hold() {
    crate::http::fuzz::replay("zitadel_bodies", bodies);
}

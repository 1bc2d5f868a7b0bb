//! Body of the fuzz target for this dialect's requests: `fuzz/` gives it bytes, and a test replays its seeds.

use super::decrypt::DecryptRequest;
use super::input::Item;
use super::jws::JwsRequest;
use super::new_key::NewKey;
use super::ring_rotation::{Rotate, RotationPeriod};
use super::ring_settings::KeyRingSettings;
use super::sign::{BatchRequest, SignRequest, VerifyRequest};
use crate::http::fuzz::read;
use strongroom_formats::json::JsonText;

/// Reads the bytes as every body that the dialect knows; JSON that is kept for signing is read again as it is.
///
/// # Panics
/// When kept JSON is not read again as it is.
pub fn bodies(data: &[u8]) {
    read::<SignRequest>(data);
    read::<BatchRequest>(data);
    read::<VerifyRequest>(data);
    read::<DecryptRequest>(data);
    read::<NewKey>(data);
    read::<KeyRingSettings>(data);
    read::<RotationPeriod>(data);
    read::<JwsRequest>(data);
    if let Some(rotate) = read::<Rotate>(data) {
        drop(rotate.algorithms());
    }
    if let Some(item) = read::<Item>(data) {
        drop(item.read());
    }
    if let Some(text) = std::str::from_utf8(data).ok().and_then(|text| JsonText::parse(text).ok()) {
        assert_eq!(JsonText::parse(text.as_str()).as_ref(), Ok(&text));
        assert_eq!(text.object().is_some(), text.as_str().starts_with('{'));
        assert_eq!(text.string().is_some(), text.as_str().starts_with('"'));
    }
}

#[test]
fn seeds_of_bodies_hold() {
    crate::http::fuzz::replay("native_bodies", bodies);
}

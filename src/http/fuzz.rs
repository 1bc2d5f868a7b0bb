//! Parts that the fuzz targets of all dialects share.

#![allow(clippy::panic, reason = "a property that does not hold ends the run")]

use serde::de::DeserializeOwned;

use super::extract::parse_json;
use strongroom_domain::error::ErrorKind;

/// The body of a request; one that cannot be read is the caller's fault, whatever is wrong with it.
pub(crate) fn read<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    match parse_json(data) {
        Ok(value) => Some(value),
        Err(refused) => {
            assert!(matches!(refused.kind(), ErrorKind::Malformed | ErrorKind::Invalid));
            assert!(!refused.to_string().is_empty());
            None
        }
    }
}

/// Gives every seed of a target to the target's body.
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]
pub(crate) fn replay(target: &str, body: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let seeds: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{}", folder.display());
    for seed in seeds {
        eprintln!("{}", seed.display());
        body(&std::fs::read(seed).unwrap());
    }
}

//! What tests ask for.

use serde_json::{Value, json};

use super::lane::provider;

/// The signing family of the PingFederate dialect.
pub const SIGNING: &str = "/pf-admin-api/v1/keyPairs/signing";

/// Where key pairs of it are made.
pub const GENERATE: &str = "/pf-admin-api/v1/keyPairs/signing/generate";

/// A complete request for a key pair of `algorithm` and, if any, `size`.
pub fn key_pair(algorithm: &str, size: Option<u32>) -> Value {
    let mut request = json!({
        "commonName": "Example",
        "organization": "Ping Identity",
        "country": "US",
        "validDays": 365,
        "keyAlgorithm": algorithm,
        "cryptoProvider": provider(),
    });
    if let Some(size) = size {
        request["keySize"] = size.into();
    }
    request
}

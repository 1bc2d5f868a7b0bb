//! The thumbprint of a public key (RFC 7638), which is its kid.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::required_members::{UnsupportedKey, required_members};
use strongroom_domain::key::{HashAlgorithm, Kid, SpkiDer};

/// The SHA-256 thumbprint of a public key in base64url.
///
/// # Errors
/// When the key is of another kind, or its encoding is not that of its kind.
pub fn thumbprint(spki: &SpkiDer) -> Result<Kid, UnsupportedKey> {
    // The object that is hashed has no blanks (RFC 7638 section 3.2).
    let members: Vec<String> =
        required_members(spki)?.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
    let object = format!("{{{}}}", members.join(","));
    Kid::parse(URL_SAFE_NO_PAD.encode(HashAlgorithm::Sha256.digest(object.as_bytes()))).map_err(|_| UnsupportedKey)
}

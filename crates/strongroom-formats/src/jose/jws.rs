//! JWS in compact serialization (RFC 7515 section 7.1).

use crate::json::JsonText;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use strongroom_domain::key::Signature;

/// Header parameters that mean something to verifiers (IANA, JSON Web Signature and
/// Encryption Header Parameters): no caller chooses one, but for `typ` and `cty`.
const REGISTERED: [&str; 27] = [
    "alg",
    "jku",
    "jwk",
    "kid",
    "x5u",
    "x5c",
    "x5t",
    "x5t#S256",
    "crit",
    "enc",
    "zip",
    "epk",
    "apu",
    "apv",
    "iv",
    "tag",
    "p2s",
    "p2c",
    "iss",
    "sub",
    "aud",
    "b64",
    "ppt",
    "url",
    "nonce",
    "svt",
    "trust_chain",
];

/// Cause for the refusal of a protected header that a caller brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Callers choose `typ`, `cty` and private names only.
    Reserved,
    /// The value must be text.
    NotText,
}

/// The fault of a protected header that a caller brings, if it has one.
#[must_use]
pub fn header_fault(name: &str, value: &JsonText) -> Option<HeaderFault> {
    match name {
        "typ" | "cty" => value.string().is_none().then_some(HeaderFault::NotText),
        name => REGISTERED.contains(&name).then_some(HeaderFault::Reserved),
    }
}

/// A JWS that only lacks its signature.
#[derive(Debug)]
pub struct UnsignedJws {
    /// The two parts in base64url with a dot between them: what is signed.
    input: String,
    header_length: usize,
}

impl UnsignedJws {
    /// Puts the protected header and the payload together.
    #[must_use]
    pub fn new(header: &JsonText, payload: &[u8]) -> Self {
        let mut input = URL_SAFE_NO_PAD.encode(header.as_str());
        let header_length = input.len();
        input.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut input);
        Self { input, header_length }
    }

    /// The JWS Signing Input (RFC 7515 section 5.1).
    #[must_use]
    pub const fn signing_input(&self) -> &[u8] {
        self.input.as_bytes()
    }

    /// The compact serialization; `detached`, without its payload (RFC 7515 appendix F).
    ///
    /// A signature in PKCS#11 form is already in that of RFC 7518.
    #[must_use]
    pub fn compact(mut self, signature: &Signature, detached: bool) -> String {
        if detached {
            self.input.truncate(self.header_length);
            self.input.push('.');
        }
        self.input.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.raw(), &mut self.input);
        self.input
    }
}

//! What is asked of the keyring.

use std::time::Duration;

use crate::issuance::CertificateSpec;
use crate::key::{KeyAlgorithm, KeyPair, KeyUse, ProviderKind, RingId, SignatureAlgorithm};

/// A key pair to be made, every value already checked by itself.
#[derive(Clone, Debug)]
pub struct NewKeyPair {
    pub ring: RingId,
    pub provider: ProviderKind,
    pub key_use: KeyUse,
    pub algorithm: KeyAlgorithm,
    /// Signs the certificate and is the key's default.
    pub signature_algorithm: SignatureAlgorithm,
    /// Everything that the key may ever sign with.
    pub permitted: Vec<SignatureAlgorithm>,
    pub certificate: CertificateSpec,
    pub idempotency: Option<IdempotencyKey>,
    /// Time allowed until the commit begins.
    pub deadline: Duration,
    pub request_id: Option<String>,
}

/// A client's `Idempotency-Key`, and the request it stands for.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The header's value: 1 to 255 visible ASCII characters.
    pub key: String,
    /// Method and path.
    pub route: String,
    pub body: Vec<u8>,
}

/// A key pair that was made, now or by the same request before.
#[derive(Clone, Debug)]
pub struct Made {
    pub pair: KeyPair,
    pub replayed: bool,
}

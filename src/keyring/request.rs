//! What is asked of the keyring.

use std::fmt;
use std::time::Duration;

use crate::issuance::CertificateSpec;
use crate::key::{CertificateDer, KeyAlgorithm, KeyPair, KeyUse, ProviderKind, RingId, SignatureAlgorithm, SpkiDer};
use crate::provider::ForeignKey;
use crate::secret::Secret;

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
#[derive(Clone)]
pub struct IdempotencyKey {
    /// The header's value: 1 to 255 visible ASCII characters.
    pub key: String,
    /// Method and path.
    pub route: String,
    pub body: Vec<u8>,
}

/// Without the body, which may hold a private key and its password.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKey").field("key", &self.key).field("route", &self.route).finish_non_exhaustive()
    }
}

/// A key pair that was made, now or by the same request before.
#[derive(Clone, Debug)]
pub struct Made {
    pub pair: KeyPair,
    pub replayed: bool,
}

/// A key pair to be brought in from outside.
#[derive(Debug)]
pub struct ImportKeyPair {
    pub ring: RingId,
    pub provider: ProviderKind,
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
    pub permitted: Vec<SignatureAlgorithm>,
    /// PKCS#8, unencrypted.
    pub pkcs8: Secret,
    /// The public half that the private half must have.
    pub spki: SpkiDer,
    /// The leaf, whose key is `spki`, then its issuers.
    pub certificates: Vec<CertificateDer>,
    pub idempotency: Option<IdempotencyKey>,
    pub deadline: Duration,
    pub request_id: Option<String>,
}

/// A key pair that is already in the token.
#[derive(Clone, Debug)]
pub struct LinkKeyPair {
    pub ring: RingId,
    pub wanted: ForeignKey,
    /// The leaf, whose key must be the token's, then its issuers.
    pub certificates: Vec<CertificateDer>,
    pub idempotency: Option<IdempotencyKey>,
    pub deadline: Duration,
    pub request_id: Option<String>,
}

/// A key pair that leaves, private half included.
#[derive(Debug)]
pub struct ExportedKeyPair {
    pub pair: KeyPair,
    /// PKCS#8, unencrypted.
    pub pkcs8: Secret,
}

//! Requests to the keyring and their results.

use std::time::Duration;

use crate::issuance::CertificateSpec;
use crate::provider::KeySelector;
use crate::store::{DocumentWrite, Placement};
use strongroom_domain::audit::Event;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyPair, KeyState, KeyUse, ProviderKind, RingId, SignatureAlgorithm, SpkiDer,
};
use strongroom_domain::secret::Secret;

/// A key pair to be generated; each value is valid by itself.
#[derive(Clone, Debug)]
pub struct NewKeyPair {
    pub ring: RingId,
    pub provider: ProviderKind,
    pub key_use: KeyUse,
    pub algorithm: KeyAlgorithm,
    /// Signs the certificate and is the key's default.
    pub signature_algorithm: SignatureAlgorithm,
    /// Signature algorithms that the key may ever use.
    pub permitted: Vec<SignatureAlgorithm>,
    /// Self-signed, if there shall be one.
    pub certificate: Option<CertificateSpec>,
    /// Time allowed until the commit begins.
    pub deadline: Duration,
}

/// A key pair that joins a ring; each value is valid by itself.
#[derive(Clone, Debug)]
pub struct NewRingKey {
    pub initial_state: InitialState,
    pub kid_scheme: KidScheme,
    pub provider: ProviderKind,
    pub key_use: KeyUse,
    pub algorithm: KeyAlgorithm,
    /// Signs the certificate and is the key's default.
    pub signature_algorithm: SignatureAlgorithm,
    /// Signature algorithms that the key may ever use.
    pub permitted: Vec<SignatureAlgorithm>,
    /// Self-signed, if there shall be one.
    pub certificate: Option<CertificateSpec>,
}

/// The state in which a key pair joins a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialState {
    /// It signs from now on.
    Active,
    /// It is published and does not sign yet.
    PreActive,
    /// Active if the ring has no Active key, else `PreActive`.
    ActiveIfNone,
}

/// How the kid of a new key pair is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KidScheme {
    /// By the thumbprint of its public key (RFC 7638).
    Thumbprint,
    /// By a new decimal number.
    Decimal,
}

/// Transition of a key pair of a ring, by compare-and-set on the version given here.
#[derive(Clone, Debug)]
pub struct StateChange {
    pub pair: KeyPair,
    pub to: KeyState,
    /// Why, for the audit trail.
    pub reason: String,
}

/// New keys of a ring and state changes of others, all or nothing.
#[derive(Clone, Debug)]
pub struct RingChange {
    pub ring: RingId,
    /// How the new keys are placed in the ring.
    pub placement: Placement,
    pub keys: Vec<NewRingKey>,
    /// Applied in this order, before the new keys join.
    pub state_changes: Vec<StateChange>,
    /// Why keys are added, for the audit trail.
    pub reason: String,
    /// The number of the sweeper that makes the change.
    pub fence: Option<i64>,
    /// Time allowed until the commit begins.
    pub deadline: Duration,
}

/// Changes of documents that are made together with a ring's, and their events.
#[derive(Clone, Debug, Default)]
pub(in crate::services) struct DocumentChanges {
    pub(in crate::services) writes: Vec<DocumentWrite>,
    pub(in crate::services) events: Vec<Event>,
}

/// Result of a change of a ring.
#[derive(Clone, Debug, Default)]
pub struct RingChanged {
    /// The new keys, in the order of the request.
    pub created: Vec<KeyPair>,
    /// The keys that changed state, in the order of the request.
    pub moved: Vec<KeyPair>,
    /// The same request was answered before: `created` is what its first member is by now.
    pub replayed: bool,
}

/// A key pair created now, or earlier by the same request.
#[derive(Clone, Debug)]
pub struct KeyCreated {
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
    /// What the audit trail should say of the certificates, a sentence each.
    pub remarks: Vec<String>,
    /// The name that the file gives the key, for the audit trail.
    pub hint: Option<String>,
    pub deadline: Duration,
}

/// A key pair that is already in the token.
#[derive(Clone, Debug)]
pub struct LinkKeyPair {
    pub ring: RingId,
    pub selector: KeySelector,
    /// The leaf, whose key must be the token's, then its issuers.
    pub certificates: Vec<CertificateDer>,
    /// What the audit trail should say of the certificates, a sentence each.
    pub remarks: Vec<String>,
    pub deadline: Duration,
}

/// A key pair that leaves, private half included.
#[derive(Debug)]
pub struct ExportedKeyPair {
    pub pair: KeyPair,
    /// PKCS#8, unencrypted.
    pub pkcs8: Secret,
}

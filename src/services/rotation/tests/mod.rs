#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod plans;
pub(in crate::services) mod service;
mod sweeps;

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::policy::{OnOverlapEnd, Policy, Schedule};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyOrigin, KeyPair, KeyState, KeyUse, Locator, ProviderKind, RingId,
    SerialNumber, Signature, SignatureAlgorithm, SpkiDer,
};
use strongroom_formats::x509::{CertificateNames, CertificateProfile, SelfSigned, Subject};

pub(in crate::services) const DAY: Duration = Duration::from_secs(86_400);
pub(in crate::services) const HOUR: Duration = Duration::from_secs(3600);

/// The start of the tests' time.
pub(in crate::services) const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(in crate::services) fn days(n: u32) -> Duration {
    DAY * n
}

/// What holds for a signing ring of these buffers in days, with a lead and an overlap of a day.
pub(in crate::services) fn before_expiry(creation: u32, activation: u32) -> Policy {
    let schedule = Some(Schedule::BeforeExpiry { creation: days(creation), activation: days(activation) });
    Policy { schedule, always_next: false, lead: DAY, overlap: Some(DAY), on_overlap_end: OnOverlapEnd::Destroy }
}

/// What holds for a connection whose key is succeeded every so often.
pub(in crate::services) fn connection(period: Option<Duration>) -> Policy {
    Policy {
        schedule: period.map(Schedule::Every),
        always_next: true,
        on_overlap_end: OnOverlapEnd::DestroyButLatest,
        ..before_expiry(0, 0)
    }
}

/// A key pair without certificate.
pub(in crate::services) fn pair(generation: i64, state: KeyState, created_at: Timestamp) -> KeyPair {
    let signs = (state != KeyState::PreActive).then_some(created_at);
    KeyPair {
        id: KeyId::new(created_at).unwrap(),
        ring: Some("signing:a".parse::<RingId>().unwrap()),
        generation,
        state,
        missing_since: None,
        missing: false,
        provider: ProviderKind::Hsm,
        locator: Locator::new().unwrap(),
        sealed: None,
        origin: KeyOrigin::Generated,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::ED25519,
        signature_algorithm: SignatureAlgorithm::ED25519,
        permitted: vec![SignatureAlgorithm::ED25519],
        kid: None,
        spki: None,
        certificates: Vec::new(),
        created_at,
        activated_at: signs,
        deactivated_at: signs.filter(|_| state == KeyState::Deactivated),
        suspended_from: None,
        unpublished: false,
        compromised_at: None,
        awaits_successor: false,
        destroy_at: None,
        deleted_at: None,
        destroyed_at: None,
        version: 1,
    }
}

/// A key pair with a self-signed certificate.
pub(in crate::services) fn certified(
    generation: i64,
    state: KeyState,
    created_at: Timestamp,
    validity: Duration,
) -> KeyPair {
    KeyPair { certificates: vec![certificate(created_at, validity)], ..pair(generation, state, created_at) }
}

pub(in crate::services) static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().unwrap());

/// A self-signed certificate.
pub(in crate::services) fn certificate(from: Timestamp, validity: Duration) -> CertificateDer {
    signed_by(&KEY, from, validity)
}

/// A certificate that another has issued.
pub(in crate::services) fn issued(from: Timestamp, validity: Duration) -> CertificateDer {
    signed_by(&Ed25519KeyPair::generate().unwrap(), from, validity)
}

pub(in crate::services) fn signed_by(issuer: &Ed25519KeyPair, from: Timestamp, validity: Duration) -> CertificateDer {
    let subject = Subject { common_name: "planned".to_owned(), ..Subject::default() };
    let tbs = SelfSigned {
        names: CertificateNames::Given { subject, alternative_names: Vec::new() },
        serial: SerialNumber::new().unwrap(),
        not_before: from.truncate_to_seconds(),
        not_after: from.truncate_to_seconds().plus(validity),
        spki: SpkiDer::parse(KEY.public_key().as_der().unwrap().as_ref().to_vec()).unwrap(),
        signature_algorithm: SignatureAlgorithm::ED25519,
        profile: CertificateProfile::Signing,
    }
    .tbs()
    .unwrap();
    let signature = issuer.sign(tbs.bytes()).as_ref().to_vec();
    tbs.assemble(&Signature::from_raw(SignatureAlgorithm::ED25519, signature)).unwrap()
}

//! Names and forms of views.

use serde_json::{Value, json};

use super::HYBRID;
use crate::dialects::pingfederate::Settings;
use crate::dialects::pingfederate::view::{KeyPairView, ViewContext};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyOrigin, KeyPair, KeyState, KeyUse, Locator, ProviderKind, SignatureAlgorithm,
};
use strongroom_formats::x509::CertificateSummary;

fn view_at(now: i64, settings: Settings) -> Value {
    let pair = KeyPair {
        id: KeyId::new(Timestamp::from_micros(0)).unwrap(),
        ring: Some("signing:orders".parse().unwrap()),
        generation: 1,
        state: KeyState::Active,
        missing_since: None,
        missing: false,
        provider: ProviderKind::Hsm,
        locator: Locator::new().unwrap(),
        sealed: None,
        origin: KeyOrigin::Generated,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::P384,
        signature_algorithm: SignatureAlgorithm::ECDSA_SHA384,
        permitted: Vec::new(),
        kid: None,
        spki: None,
        certificates: Vec::new(),
        created_at: Timestamp::from_micros(0),
        activated_at: None,
        deactivated_at: None,
        suspended_from: None,
        unpublished: false,
        compromised_at: None,
        awaits_successor: false,
        destroy_at: None,
        deleted_at: None,
        destroyed_at: None,
        version: 1,
    };
    let summary = CertificateSummary {
        serial_number: "28463092959443571178990831419139562736".to_owned(),
        subject: "CN=Example, C=US".to_owned(),
        issuer: "CN=Authority, C=US".to_owned(),
        alternative_names: Vec::new(),
        not_before: Timestamp::from_micros(1_000_000),
        not_after: Timestamp::from_micros(86_401_000_000),
        signature_algorithm: "SHA256withRSA".to_owned(),
        version: 3,
        sha1_fingerprint: "0A".to_owned(),
        sha256_fingerprint: "0B".to_owned(),
    };
    let look = ViewContext { settings, now: Timestamp::from_micros(now) };
    let view = KeyPairView::from_summary("orders", &pair, summary, &look);
    serde_json::to_value(view).unwrap()
}

#[test]
fn view_has_the_names_and_forms_of_the_product() {
    assert_eq!(
        view_at(1_000_000, HYBRID),
        json!({
            "id": "orders",
            "serialNumber": "28463092959443571178990831419139562736",
            "subjectDN": "CN=Example, C=US",
            "issuerDN": "CN=Authority, C=US",
        "subjectAlternativeNames": [],
            "validFrom": "1970-01-01T00:00:01.000Z",
            "expires": "1970-01-02T00:00:01.000Z",
            "keyAlgorithm": "EC",
            "keySize": 384,
            "signatureAlgorithm": "SHA256withRSA",
            "version": 3,
            "sha1Fingerprint": "0A",
            "sha256Fingerprint": "0B",
            "status": "VALID",
            "cryptoProvider": "HSM",
        })
    );
}

#[test]
fn view_hides_the_provider_unless_hybrid_mode_is_on() {
    let plain = Settings { hybrid: false, ..HYBRID };
    assert!(view_at(1_000_000, plain).get("cryptoProvider").is_none());
}

#[test]
fn status_follows_the_clock_and_both_ends_are_valid() {
    let table =
        [(999_999, "NOT_YET_VALID"), (1_000_000, "VALID"), (86_401_000_000, "VALID"), (86_401_000_001, "EXPIRED")];
    for (now, status) in table {
        assert_eq!(view_at(now, HYBRID)["status"], status, "{now}");
    }
}

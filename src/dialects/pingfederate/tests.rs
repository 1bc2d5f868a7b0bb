#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod views;

use std::time::Duration;

use serde_json::{Value, json};

use super::generate::NewKeyPairSettings;
use super::rules::Rules;
use super::{SanFormat, Settings, algorithms};
use crate::http::id;
use crate::services::lifecycle::{Capabilities, NewKeyPair};
use strongroom_domain::error::Violation;
use strongroom_domain::key::{KeyAlgorithm, ProviderKind, RingKind, SignatureAlgorithm};
use strongroom_formats::x509::{AlternativeName, CertificateNames};

const HYBRID: Settings = Settings {
    hybrid: true,
    default_provider: ProviderKind::Hsm,
    san_format: SanFormat::Bare,
    require_trusted_issuer: false,
};

fn everything() -> Capabilities {
    Capabilities {
        algorithms: KeyAlgorithm::all().map(|a| (a, a.signature_algorithms())).collect(),
        ..Capabilities::default()
    }
}

/// A request that is right, with `changes` made to it; null takes a member away.
fn request(changes: &Value) -> NewKeyPairSettings {
    let mut body = json!({
        "id": "orders", "commonName": "Example", "organization": "Example Corp", "country": "US",
        "validDays": 365, "keyAlgorithm": "RSA",
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    serde_json::from_value(body).unwrap()
}

fn rules(settings: Settings, can: Option<Capabilities>) -> Rules {
    let providers = vec![(ProviderKind::Hsm, can)];
    Rules { settings, family: RingKind::Signing, providers, deadline: Duration::from_secs(1) }
}

fn check_with(settings: Settings, can: Option<Capabilities>, changes: &Value) -> Result<NewKeyPair, Vec<Violation>> {
    rules(settings, can).check(&request(changes))
}

fn check(changes: &Value) -> Result<NewKeyPair, Vec<Violation>> {
    check_with(HYBRID, Some(everything()), changes)
}

/// Path and code of each violation.
fn faults(result: Result<NewKeyPair, Vec<Violation>>) -> Vec<(String, &'static str)> {
    let violations = result.expect_err("the request was accepted");
    assert!(violations.iter().all(|violation| violation.message.ends_with('.')), "{violations:?}");
    violations.into_iter().map(|violation| (violation.path.unwrap_or_default(), violation.rule.code())).collect()
}

#[test]
fn each_bad_value_is_found_at_its_place() {
    let long = |count: usize| "x".repeat(count);
    let names = |count: usize| vec!["example.com"; count];
    let table = [
        (json!({"id": ""}), "id", "invalid_value"),
        (json!({"id": "a b"}), "id", "invalid_value"),
        (json!({"id": ".a"}), "id", "invalid_value"),
        (json!({"id": "ä"}), "id", "invalid_value"),
        (json!({"id": "a/b"}), "id", "invalid_value"),
        (json!({"id": long(65)}), "id", "invalid_value"),
        (json!({"id": "generate"}), "id", "invalid_value"),
        (json!({"id": "import"}), "id", "invalid_value"),
        (json!({"id": "link"}), "id", "invalid_value"),
        (json!({"id": "settings"}), "id", "invalid_value"),
        (json!({"commonName": null}), "commonName", "required"),
        (json!({"commonName": ""}), "commonName", "required"),
        (json!({"commonName": "  "}), "commonName", "required"),
        (json!({"commonName": long(65)}), "commonName", "too_long"),
        (json!({"commonName": "a\u{7}b"}), "commonName", "invalid_value"),
        (json!({"organization": null}), "organization", "required"),
        (json!({"organization": long(65)}), "organization", "too_long"),
        (json!({"organizationUnit": long(65)}), "organizationUnit", "too_long"),
        (json!({"city": long(129)}), "city", "too_long"),
        (json!({"state": long(129)}), "state", "too_long"),
        (json!({"country": null}), "country", "required"),
        (json!({"country": ""}), "country", "required"),
        (json!({"country": "USA"}), "country", "invalid_value"),
        (json!({"country": "U1"}), "country", "invalid_value"),
        (json!({"validDays": null}), "validDays", "required"),
        (json!({"validDays": 0}), "validDays", "invalid_value"),
        (json!({"validDays": -1}), "validDays", "invalid_value"),
        (json!({"validDays": 36_501}), "validDays", "invalid_value"),
        (json!({"validDays": 40_000}), "validDays", "invalid_value"),
        (json!({"validDays": i32::MAX}), "validDays", "invalid_value"),
        (json!({"keyAlgorithm": null}), "keyAlgorithm", "required"),
        (json!({"keyAlgorithm": ""}), "keyAlgorithm", "required"),
        (json!({"keyAlgorithm": "DSA"}), "keyAlgorithm", "invalid_value"),
        (json!({"keyAlgorithm": "rsa"}), "keyAlgorithm", "invalid_value"),
        (json!({"keySize": 1024}), "keySize", "invalid_value"),
        (json!({"keySize": 256}), "keySize", "invalid_value"),
        (json!({"keyAlgorithm": "EC", "keySize": 512}), "keySize", "invalid_value"),
        (json!({"keyAlgorithm": "Ed25519", "keySize": 255}), "keySize", "invalid_value"),
        (json!({"signatureAlgorithm": "SHA1withRSA"}), "signatureAlgorithm", "invalid_value"),
        (json!({"signatureAlgorithm": "SHA256withECDSA"}), "signatureAlgorithm", "invalid_value"),
        (
            json!({"keyAlgorithm": "Ed25519", "signatureAlgorithm": "SHA256withECDSA"}),
            "signatureAlgorithm",
            "invalid_value",
        ),
        (
            json!({"subjectAlternativeNames": ["example.com", "not a name"]}),
            "subjectAlternativeNames[1]",
            "invalid_value",
        ),
        (json!({"subjectAlternativeNames": [""]}), "subjectAlternativeNames[0]", "invalid_value"),
        (json!({"subjectAlternativeNames": names(101)}), "subjectAlternativeNames", "too_long"),
        (json!({"cryptoProvider": "LOCAL"}), "cryptoProvider", "not_supported_by_provider"),
    ];
    for (changes, path, code) in table {
        assert_eq!(faults(check(&changes)), [(path.to_owned(), code)], "{changes}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let found = faults(check(&json!({
        "id": "-", "commonName": "", "organization": null, "country": "USA", "validDays": 0,
        "keyAlgorithm": "RSA", "keySize": 1, "signatureAlgorithm": "Ed25519", "cryptoProvider": "LOCAL",
        "subjectAlternativeNames": ["?", "?"],
    })));
    let mut paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "commonName",
            "country",
            "cryptoProvider",
            "id",
            "keySize",
            "organization",
            "signatureAlgorithm",
            "subjectAlternativeNames[0]",
            "subjectAlternativeNames[1]",
            "validDays",
        ]
    );
}

#[test]
fn signature_algorithm_that_no_family_has_is_found_without_a_family() {
    let found = faults(check(&json!({"keyAlgorithm": "DSA", "signatureAlgorithm": "SHA1withDSA"})));
    assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["keyAlgorithm", "signatureAlgorithm"]);
    let found = faults(check(&json!({"keyAlgorithm": "DSA", "signatureAlgorithm": "SHA256withRSA"})));
    assert_eq!(found.len(), 1);
}

#[test]
fn gaps_are_filled_with_the_defaults_of_the_algorithm() {
    let table = [
        (json!({"keyAlgorithm": "RSA"}), KeyAlgorithm::RSA_2048, SignatureAlgorithm::RSA_PKCS1_SHA256),
        (json!({"keyAlgorithm": "RSA", "keySize": 3072}), KeyAlgorithm::RSA_3072, SignatureAlgorithm::RSA_PKCS1_SHA256),
        (json!({"keyAlgorithm": "EC"}), KeyAlgorithm::P256, SignatureAlgorithm::ECDSA_SHA256),
        (json!({"keyAlgorithm": "EC", "keySize": 384}), KeyAlgorithm::P384, SignatureAlgorithm::ECDSA_SHA384),
        (json!({"keyAlgorithm": "EC", "keySize": 521}), KeyAlgorithm::P521, SignatureAlgorithm::ECDSA_SHA512),
        (json!({"keyAlgorithm": "Ed25519"}), KeyAlgorithm::ED25519, SignatureAlgorithm::ED25519),
    ];
    for (changes, algorithm, signature) in table {
        let new = check(&changes).unwrap();
        assert_eq!((new.algorithm, new.signature_algorithm), (algorithm, signature), "{changes}");
        assert_eq!(new.provider, ProviderKind::Hsm);
    }
}

#[test]
fn rsa_may_sign_in_both_schemes_and_ec_with_the_hash_of_its_curve_and_the_one_asked_for() {
    let rsa = check(&json!({"signatureAlgorithm": "SHA512withRSAandMGF1"})).unwrap();
    assert_eq!(rsa.signature_algorithm, SignatureAlgorithm::RSA_PSS_SHA512);
    assert_eq!(rsa.permitted, KeyAlgorithm::RSA_2048.signature_algorithms());
    let usual = check(&json!({"keyAlgorithm": "EC", "keySize": 384})).unwrap();
    assert_eq!(usual.permitted, [SignatureAlgorithm::ECDSA_SHA384]);
    let asked = check(&json!({"keyAlgorithm": "EC", "signatureAlgorithm": "SHA512withECDSA"})).unwrap();
    assert_eq!(asked.permitted, [SignatureAlgorithm::ECDSA_SHA256, SignatureAlgorithm::ECDSA_SHA512]);
}

#[test]
fn what_the_provider_cannot_do_is_said_with_what_it_can() {
    let can = Capabilities {
        algorithms: vec![
            (KeyAlgorithm::RSA_2048, vec![SignatureAlgorithm::RSA_PKCS1_SHA256]),
            (KeyAlgorithm::P256, vec![SignatureAlgorithm::ECDSA_SHA256]),
        ],
        ..Capabilities::default()
    };
    let table = [
        (json!({"keyAlgorithm": "Ed25519"}), "keyAlgorithm", "RSA, EC"),
        (json!({"keySize": 4096}), "keySize", "2048"),
        (json!({"signatureAlgorithm": "SHA256withRSAandMGF1"}), "signatureAlgorithm", "SHA256withRSA."),
    ];
    for (changes, path, offer) in table {
        let violations = check_with(HYBRID, Some(can.clone()), &changes).unwrap_err();
        assert_eq!(violations.len(), 1);
        assert_eq!(
            (violations[0].path.as_deref(), violations[0].rule.code()),
            (Some(path), "not_supported_by_provider")
        );
        assert!(violations[0].message.contains(offer), "{}", violations[0].message);
    }
    let new = check_with(HYBRID, Some(can), &json!({})).unwrap();
    assert_eq!(new.permitted, [SignatureAlgorithm::RSA_PKCS1_SHA256]);
}

#[test]
fn provider_that_was_never_ready_limits_nothing() {
    assert!(check_with(HYBRID, None, &json!({"keyAlgorithm": "Ed25519"})).is_ok());
}

#[test]
fn without_hybrid_mode_only_the_one_provider_may_be_named() {
    let plain = Settings { hybrid: false, ..HYBRID };
    assert!(check_with(plain, None, &json!({"cryptoProvider": "HSM"})).is_ok());
    assert!(check_with(plain, None, &json!({})).is_ok());
    let found = faults(check_with(plain, None, &json!({"cryptoProvider": "LOCAL"})));
    assert_eq!(found, [("cryptoProvider".to_owned(), "invalid_value")]);
}

#[test]
fn good_values_reach_the_keyring_as_they_were_given() {
    let new = check(&json!({
        "organizationUnit": "", "city": "Austin", "state": "Texas", "validDays": 36_500,
        "subjectAlternativeNames": ["example.com", "IP: '192.0.2.1'"],
    }))
    .unwrap();
    assert_eq!(new.ring.to_string(), "signing:orders");
    let certificate = new.certificate.unwrap();
    let CertificateNames::Given { subject, alternative_names } = certificate.names else {
        panic!("names of another certificate")
    };
    assert_eq!(subject.organization_unit, None);
    assert_eq!(subject.city.as_deref(), Some("Austin"));
    assert_eq!(certificate.valid_days, 36_500);
    let names: Vec<_> = alternative_names.iter().map(AlternativeName::typed).collect();
    assert_eq!(names, ["DNS: 'example.com'", "IP: '192.0.2.1'"]);
}

#[test]
fn wire_refuses_unknown_and_repeated_members_and_wrong_types() {
    for body in [
        r#"{"comonName": "x"}"#,
        r#"{"id": "a", "id": "b"}"#,
        r#"{"id": 1}"#,
        r#"{"validDays": "365"}"#,
        r#"{"validDays": 1.5}"#,
        r#"{"keySize": 99999999999}"#,
        r#"{"subjectAlternativeNames": "example.com"}"#,
        r#"{"subjectAlternativeNames": [1]}"#,
        r#"{"cryptoProvider": "hsm"}"#,
        r#"{"cryptoProvider": "TPM"}"#,
    ] {
        assert!(serde_json::from_str::<NewKeyPairSettings>(body).is_err(), "{body}");
    }
}

#[test]
fn made_up_ids_are_25_characters_of_base_36_and_differ() {
    let made = [id::generate().unwrap(), id::generate().unwrap()];
    assert_ne!(made[0], made[1]);
    for text in made {
        assert_eq!(text.len(), 25);
        assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
        assert_eq!(id::fault(&text), None);
    }
}

#[test]
fn key_algorithms_are_those_that_all_providers_share() {
    let items = serde_json::to_value(algorithms::common_to(&[everything()])).unwrap();
    assert_eq!(
        items[0],
        json!({
            "name": "RSA", "keySizes": [2048, 3072, 4096], "defaultKeySize": 2048,
            "signatureAlgorithms": ["SHA256withRSA", "SHA384withRSA", "SHA512withRSA",
                "SHA256withRSAandMGF1", "SHA384withRSAandMGF1", "SHA512withRSAandMGF1"],
            "defaultSignatureAlgorithm": "SHA256withRSA",
        })
    );
    assert_eq!(items[1]["keySizes"], json!([256, 384, 521]));
    assert_eq!(items[2]["signatureAlgorithms"], json!(["Ed25519"]));

    let small = Capabilities {
        algorithms: vec![(KeyAlgorithm::P384, vec![SignatureAlgorithm::ECDSA_SHA512])],
        ..Capabilities::default()
    };
    let items = serde_json::to_value(algorithms::common_to(&[everything(), small])).unwrap();
    assert_eq!(
        items,
        json!([{
            "name": "EC", "keySizes": [384], "defaultKeySize": 384,
            "signatureAlgorithms": ["SHA512withECDSA"], "defaultSignatureAlgorithm": "SHA512withECDSA",
        }])
    );
}

#[test]
fn without_hybrid_mode_only_the_default_provider_counts() {
    let both = || vec![(ProviderKind::Hsm, None), (ProviderKind::Local, Some(everything()))];
    let plain = |default_provider| Settings { hybrid: false, default_provider, ..HYBRID };
    for (settings, known) in [(HYBRID, 1), (plain(ProviderKind::Local), 1), (plain(ProviderKind::Hsm), 0)] {
        assert_eq!(algorithms::usable_capabilities(settings, both()).len(), known);
    }
}

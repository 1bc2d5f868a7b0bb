#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod names;
mod requests;
mod software_key;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

use super::{CertificateSpec, Prepared, TbsSigner, check, issue, prepare};
use software_key::{AwaySigner, SoftwareKey};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{CertificateDer, KeyAlgorithm, Signature, SignatureAlgorithm, SpkiDer};
use strongroom_formats::x509::{
    AlternativeName, CertificateNames, CertificateProfile, CertificateSummary, Subject, to_pem, verify,
};

/// 2026-08-13T20:21:00.654321Z.
const NOW: Timestamp = Timestamp::from_micros(1_786_652_460_654_321);

fn subject() -> Subject {
    Subject {
        common_name: "Example, Inc. + \"Söhne\"".to_owned(),
        organization: Some("Strong & Room".to_owned()),
        organization_unit: Some("Keys".to_owned()),
        city: Some("Austin".to_owned()),
        state: Some("Texas".to_owned()),
        country: Some("US".to_owned()),
    }
}

fn alternative_names() -> Vec<AlternativeName> {
    let names =
        ["example.com", "*.example.com", "192.0.2.7", "2001:db8::7", "ops@example.com", "https://example.com/a"];
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn spec(profile: CertificateProfile) -> CertificateSpec {
    let names = CertificateNames::Given { subject: subject(), alternative_names: alternative_names() };
    CertificateSpec { names, valid_days: 365, profile }
}

/// A specification without alternative names.
fn bare() -> CertificateSpec {
    let names = CertificateNames::Given { subject: subject(), alternative_names: Vec::new() };
    CertificateSpec { names, ..spec(CertificateProfile::Signing) }
}

fn prepared(key: &SoftwareKey, spec: &CertificateSpec, algorithm: SignatureAlgorithm) -> Prepared {
    prepare(spec, algorithm, key.spki.clone(), NOW).unwrap()
}

async fn certificate(key: &SoftwareKey, spec: &CertificateSpec, algorithm: SignatureAlgorithm) -> CertificateDer {
    let issued = issue(prepared(key, spec, algorithm), key).await.unwrap();
    check(issued, &key.spki).unwrap()
}

/// What openssl says about a certificate on its standard input.
fn openssl(arguments: &[&str], certificate: &CertificateDer) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is missing: apt-get install openssl");
    child.stdin.take().unwrap().write_all(to_pem(certificate).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Verifies the certificate with openssl as its own trust anchor, at a time within its validity.
fn openssl_verifies(certificate: &CertificateDer, purpose: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), to_pem(certificate)).unwrap();
    let anchor = file.path().to_str().unwrap();
    let time = (NOW.as_micros() / 1_000_000 + 3600).to_string();
    let strict = ["-x509_strict", "-check_ss_sig", "-purpose", purpose, "-attime", &time];
    let arguments = [&["verify", "-CAfile", anchor, "-no-CApath"], strict.as_slice()].concat();
    assert_eq!(openssl(&arguments, certificate).trim(), "stdin: OK");
}

#[tokio::test]
async fn every_key_and_signature_algorithm_makes_a_certificate_that_openssl_verifies() {
    for algorithm in KeyAlgorithm::all() {
        let key = SoftwareKey::generate(algorithm);
        for signature_algorithm in algorithm.signature_algorithms() {
            let certificate = certificate(&key, &spec(CertificateProfile::Signing), signature_algorithm).await;
            openssl_verifies(&certificate, "any");
            let summary = CertificateSummary::of(&certificate).unwrap();
            assert_eq!(summary.signature_algorithm, signature_algorithm.jca_name(), "{algorithm}");
        }
        assert_eq!(key.signatures.into_inner(), algorithm.signature_algorithms().len(), "one signature each");
    }
}

#[tokio::test]
async fn profiles_carry_the_extensions_of_their_purpose() {
    let rsa = SoftwareKey::generate(KeyAlgorithm::RSA_2048);
    let ec = SoftwareKey::generate(KeyAlgorithm::P256);
    let (server, client) = ("TLS Web Server Authentication", "TLS Web Client Authentication");
    let rows = [
        (&rsa, CertificateProfile::Signing, "Digital Signature", None, "any"),
        (&rsa, CertificateProfile::TlsServer, "Digital Signature, Key Encipherment", Some(server), "sslserver"),
        (&rsa, CertificateProfile::TlsClient, "Digital Signature", Some(client), "sslclient"),
        (&ec, CertificateProfile::Signing, "Digital Signature", None, "any"),
        (&ec, CertificateProfile::TlsServer, "Digital Signature", Some(server), "sslserver"),
        (&ec, CertificateProfile::TlsClient, "Digital Signature", Some(client), "sslclient"),
    ];
    for (key, profile, usage, purpose, openssl_purpose) in rows {
        let certificate = certificate(key, &spec(profile), key.algorithm.default_signature_algorithm()).await;
        openssl_verifies(&certificate, openssl_purpose);
        let text = openssl(&["x509", "-noout", "-text"], &certificate);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let after = |title: &str| lines.iter().position(|line| *line == title).map(|index| lines[index + 1]);
        assert_eq!(after("X509v3 Basic Constraints: critical"), Some("CA:FALSE"));
        assert_eq!(after("X509v3 Key Usage: critical"), Some(usage));
        assert_eq!(after("X509v3 Extended Key Usage:"), purpose);
        let identifier = after("X509v3 Subject Key Identifier:").unwrap();
        assert_eq!(identifier, key_identifier(&key.spki));
        assert_eq!(after("X509v3 Authority Key Identifier:"), Some(identifier));
        let names = "DNS:example.com, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, \
                     email:ops@example.com, URI:https://example.com/a";
        assert_eq!(after("X509v3 Subject Alternative Name:"), Some(names));
        let titles =
            lines.iter().filter(|line| line.starts_with("X509v3 ") && line.contains(": ") | line.ends_with(':'));
        assert_eq!(titles.count(), 6 + usize::from(purpose.is_some()), "with the title of the extensions:\n{text}");
    }
}

/// The SHA-1 of the key's bits, as openssl prints it.
fn key_identifier(spki: &SpkiDer) -> String {
    let spki = spki::SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).unwrap();
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, spki.subject_public_key.raw_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[tokio::test]
async fn validity_is_whole_days_from_the_present_second() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let algorithm = SignatureAlgorithm::ECDSA_SHA256;
    let short = certificate(&key, &spec(CertificateProfile::Signing), algorithm).await;
    let summary = CertificateSummary::of(&short).unwrap();
    assert_eq!(summary.not_before.to_string(), "2026-08-13T20:21:00.000Z");
    assert_eq!(summary.not_after.to_string(), "2027-08-13T20:21:00.000Z");

    let long = CertificateSpec { valid_days: 36_500, ..spec(CertificateProfile::Signing) };
    let long = certificate(&key, &long, algorithm).await;
    openssl_verifies(&long, "any");
    let fields = openssl(&["asn1parse"], &long);
    assert!(fields.contains("UTCTIME           :260813202100Z"), "{fields}");
    assert!(fields.contains("GENERALIZEDTIME   :21260720202100Z"), "{fields}");
}

#[test]
fn certificate_beyond_the_year_9999_is_refused() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let prepare = |valid_days| {
        let spec = CertificateSpec { valid_days, ..spec(CertificateProfile::Signing) };
        prepare(&spec, SignatureAlgorithm::ECDSA_SHA256, key.spki.clone(), NOW)
    };
    // 9999-12-31 is 2,912,218 days after 2026-08-13.
    assert!(prepare(2_912_218).is_ok());
    assert_eq!(prepare(2_912_219).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(prepare(u32::MAX).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn subject_with_a_fault_is_refused() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let names = CertificateNames::Given { subject: Subject::default(), alternative_names: Vec::new() };
    let spec = CertificateSpec { names, ..spec(CertificateProfile::Signing) };
    let refused = prepare(&spec, SignatureAlgorithm::ECDSA_SHA256, key.spki.clone(), NOW).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("CommonName Empty"), "{refused}");
}

#[tokio::test]
async fn certificate_signed_by_another_key_is_not_given_out() {
    let (key, other) = (SoftwareKey::generate(KeyAlgorithm::P256), SoftwareKey::generate(KeyAlgorithm::P256));
    let algorithm = SignatureAlgorithm::ECDSA_SHA256;
    let lied = issue(prepared(&key, &spec(CertificateProfile::Signing), algorithm), &other).await.unwrap();
    let refused = check(lied, &key.spki).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.public()),
        (ErrorKind::ProviderUnavailable, "the crypto provider is unavailable")
    );
    assert!(refused.to_string().contains("does not verify"), "{refused}");

    // Consistent in itself, but not about the key that the caller knows.
    let swapped = issue(prepared(&other, &spec(CertificateProfile::Signing), algorithm), &other).await.unwrap();
    let refused = check(swapped, &key.spki).unwrap_err();
    assert!(refused.to_string().contains("public key"), "{refused}");
}

#[tokio::test]
async fn failure_of_the_signer_is_passed_on() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let prepared = prepared(&key, &spec(CertificateProfile::Signing), SignatureAlgorithm::ECDSA_SHA256);
    let failed = issue(prepared, &AwaySigner).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::ProviderUnavailable);
}

#[test]
fn signatures_verify_by_their_own_key_algorithm_and_message_only() {
    let keys =
        [KeyAlgorithm::RSA_2048, KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521, KeyAlgorithm::ED25519]
            .map(SoftwareKey::generate);
    for key in &keys {
        for made_with in key.algorithm.signature_algorithms() {
            let raw = key.raw_signature(made_with, b"message");
            for claimed in SignatureAlgorithm::all() {
                for by in &keys {
                    let signature = Signature::from_raw(claimed, raw.clone());
                    let right = claimed == made_with && std::ptr::eq(by, key);
                    let seen = verify(&by.spki, b"message", &signature).is_ok();
                    assert_eq!(seen, right, "{made_with} by {} as {claimed} by {}", key.algorithm, by.algorithm);
                }
            }
            assert!(verify(&key.spki, b"massage", &Signature::from_raw(made_with, raw.clone())).is_err());
            assert!(verify(&key.spki, b"message", &Signature::from_raw(made_with, Vec::new())).is_err());
            assert!(verify(&key.spki, b"message", &Signature::from_raw(made_with, raw[1..].to_vec())).is_err());
        }
    }
}

#[test]
fn serial_numbers_differ() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let serial = || prepared(&key, &spec(CertificateProfile::Signing), SignatureAlgorithm::ECDSA_SHA256).meant.serial;
    assert_ne!(serial(), serial());
}

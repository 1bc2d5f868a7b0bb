//! The check of a finished certificate, and its PEM.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode};

use super::openssl;
use crate::x509::algorithm::identifier;
use crate::x509::tbs::SignedParts;
use crate::x509::{
    CertificateFlaw, CertificateNames, CertificateProfile, SelfSigned, Subject, certificates_only, check,
    one_line_subject, to_pem,
};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{CertificateDer, SerialNumber, Signature, SignatureAlgorithm, SpkiDer};

const SHA256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;
const SHA384: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA384;

fn key() -> (EcdsaKeyPair, SpkiDer) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let spki = SpkiDer::parse(pair.public_key().as_der().unwrap().as_ref().to_vec()).unwrap();
    (pair, spki)
}

fn meant(spki: SpkiDer) -> SelfSigned {
    SelfSigned {
        names: named("finished", &["example.com"]),
        serial: SerialNumber::new().unwrap(),
        not_before: Timestamp::from_micros(1_786_652_460_000_000),
        not_after: Timestamp::from_micros(1_786_652_461_000_000),
        spki,
        signature_algorithm: SHA256,
        profile: CertificateProfile::Signing,
    }
}

fn named(common_name: &str, alternative_names: &[&str]) -> CertificateNames {
    CertificateNames::Given {
        subject: Subject { common_name: common_name.to_owned(), ..Subject::default() },
        alternative_names: alternative_names.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

fn sign(pair: &EcdsaKeyPair, message: &[u8]) -> Signature {
    Signature::from_raw(SHA256, pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
}

fn certificate(pair: &EcdsaKeyPair, meant: &SelfSigned) -> CertificateDer {
    let tbs = meant.tbs().unwrap();
    let signature = sign(pair, tbs.bytes());
    tbs.assemble(&signature).unwrap()
}

#[test]
fn every_difference_from_what_was_meant_is_a_flaw() {
    let (pair, spki) = key();
    let meant = meant(spki);
    let certificate = certificate(&pair, &meant);
    assert_eq!(check(&certificate, &meant), Ok(()));

    let one_second = std::time::Duration::from_secs(1);
    let rows: [(&str, SelfSigned); 9] = [
        ("serial number", SelfSigned { serial: SerialNumber::new().unwrap(), ..meant.clone() }),
        ("signature algorithm", SelfSigned { signature_algorithm: SHA384, ..meant.clone() }),
        ("subject", SelfSigned { names: named("other", &["example.com"]), ..meant.clone() }),
        ("notBefore", SelfSigned { not_before: meant.not_before.plus(one_second), ..meant.clone() }),
        ("notAfter", SelfSigned { not_after: meant.not_after.plus(one_second), ..meant.clone() }),
        ("public key", SelfSigned { spki: key().1, ..meant.clone() }),
        ("extensions", SelfSigned { profile: CertificateProfile::TlsServer, ..meant.clone() }),
        ("extensions", SelfSigned { names: named("finished", &[]), ..meant.clone() }),
        ("extensions", SelfSigned { names: named("finished", &["example.org"]), ..meant.clone() }),
    ];
    for (field, other) in rows {
        assert_eq!(check(&certificate, &other), Err(CertificateFlaw(field.to_owned())));
    }
}

#[test]
fn signature_and_both_algorithms_must_agree() {
    let (pair, spki) = key();
    let meant = meant(spki);
    let tbs = meant.tbs().unwrap();
    let encoded = |tbs: &[u8], algorithm, signature: &Signature| {
        let signature = crate::x509::ecdsa::to_der(signature.raw()).unwrap();
        let signed = SignedParts {
            tbs: AnyRef::from_der(tbs).unwrap(),
            algorithm: identifier(algorithm).unwrap(),
            signature: BitStringRef::from_bytes(&signature).unwrap(),
        };
        CertificateDer::parse(signed.to_der().unwrap()).unwrap()
    };
    let signature = sign(&pair, tbs.bytes());
    assert_eq!(check(&encoded(tbs.bytes(), SHA256, &signature), &meant), Ok(()));
    let outer = encoded(tbs.bytes(), SHA384, &signature);
    assert_eq!(check(&outer, &meant), Err(CertificateFlaw("signature algorithm".to_owned())));

    let inner = SelfSigned { signature_algorithm: SHA384, ..meant.clone() }.tbs().unwrap();
    let inner = encoded(inner.bytes(), SHA256, &sign(&pair, inner.bytes()));
    assert_eq!(check(&inner, &meant), Err(CertificateFlaw("signature algorithm, the inner one".to_owned())));

    let unsigned = encoded(tbs.bytes(), SHA256, &sign(&pair, b"something else"));
    assert_eq!(check(&unsigned, &meant), Err(CertificateFlaw("the signature does not verify".to_owned())));
}

#[test]
fn signature_of_another_form_makes_no_certificate() {
    let (_, spki) = key();
    let meant = meant(spki);
    assert!(meant.tbs().unwrap().assemble(&Signature::from_raw(SHA384, vec![1; 64])).is_err());
    assert!(meant.tbs().unwrap().assemble(&Signature::from_raw(SHA256, vec![1; 63])).is_err());
    assert!(meant.tbs().unwrap().assemble(&Signature::from_raw(SHA256, Vec::new())).is_err());
}

#[test]
fn dates_that_x509_cannot_say_are_refused() {
    let (_, spki) = key();
    let meant = meant(spki);
    let backwards = SelfSigned { not_after: Timestamp::from_micros(0), ..meant.clone() };
    assert!(backwards.tbs().unwrap_err().to_string().contains("before it begins"));
    let ancient = SelfSigned { not_before: Timestamp::from_micros(-1), ..meant.clone() };
    assert!(ancient.tbs().unwrap_err().to_string().contains("before 1970"));
    let last_second = Timestamp::from_micros(253_402_300_799_000_000);
    assert!(SelfSigned { not_after: last_second, ..meant.clone() }.tbs().is_ok());
    let beyond = SelfSigned { not_after: Timestamp::from_micros(253_402_300_800_000_000), ..meant };
    assert!(beyond.tbs().unwrap_err().to_string().contains("after 9999"));
}

#[test]
fn pem_is_that_of_openssl() {
    let (pair, spki) = key();
    let folder = tempfile::tempdir().unwrap();
    for length in 1..=48 {
        // Subjects of all lengths, so that the last line has every length too.
        let names = named(&"x".repeat(length), &["example.com"]);
        let certificate = certificate(&pair, &SelfSigned { names, ..meant(spki.clone()) });
        std::fs::write(folder.path().join("der"), certificate.as_bytes()).unwrap();
        if length % 16 == 0 {
            let pem = openssl(folder.path(), &["x509", "-inform", "DER", "-in", "der", "-outform", "PEM"]);
            assert_eq!(to_pem(&certificate), pem);
        }
        let pem = to_pem(&certificate);
        assert!(pem.lines().all(|line| (1..=64).contains(&line.len())) && pem.ends_with("-----END CERTIFICATE-----\n"));
    }
}

#[test]
fn a_connections_name_may_be_twice_as_long_as_others() {
    let (pair, spki) = key();
    let long = |length, profile| SelfSigned { names: named(&"ü".repeat(length), &[]), profile, ..meant(spki.clone()) };
    let longest = long(128, CertificateProfile::Connection);
    let certificate = certificate(&pair, &longest);
    assert_eq!(check(&certificate, &longest), Ok(()));
    assert_eq!(one_line_subject(&certificate), Ok(format!("/CN={}", "ü".repeat(128))));
    assert!(long(129, CertificateProfile::Connection).tbs().is_err());
    assert!(long(65, CertificateProfile::Signing).tbs().is_err());
}

#[test]
fn a_certificate_in_pkcs7_is_the_same_certificate_and_nothing_else() {
    let (pair, spki) = key();
    let certificate = certificate(&pair, &meant(spki));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("certs.p7"), certificates_only(&certificate).unwrap()).unwrap();
    let printed = openssl(dir.path(), &["pkcs7", "-inform", "DER", "-print_certs", "-in", "certs.p7"]);
    assert_eq!(printed.matches("-----BEGIN").count(), 1, "{printed}");
    assert!(printed.contains(&to_pem(&certificate)), "{printed}");
    let dump = openssl(dir.path(), &["asn1parse", "-inform", "DER", "-in", "certs.p7"]);
    for line in [":pkcs7-signedData", "INTEGER           :01", ":pkcs7-data"] {
        assert!(dump.contains(line), "{line} in {dump}");
    }
}

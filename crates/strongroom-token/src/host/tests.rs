//! Encodings, and what is refused before a token sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use der::Decode;
use parking_lot::Mutex;

use super::objects::public_key::{RSA_EXPONENT, ec_params, ec_spki, rsa_spki};
use super::operations::sign::{check, digest_info, verifies};
use super::queue::{BatchLimits, Outbox, Queue, Reader};
use super::session::known_pin;
use crate::frames::append;
use crate::key::SignInput;
use crate::protocol::{Call, FailureClass, KnownPin, SignCall};
use strongroom_domain::key::{HashAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use strongroom_domain::secret::Pin;

const CURVES: [(KeyAlgorithm, &EcdsaSigningAlgorithm); 3] = [
    (KeyAlgorithm::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
    (KeyAlgorithm::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
    (KeyAlgorithm::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
];

fn octet_string(point: &[u8]) -> Vec<u8> {
    let mut der = vec![0x04];
    let length = u8::try_from(point.len()).unwrap();
    if length > 127 {
        der.push(0x81);
    }
    der.push(length);
    der.extend_from_slice(point);
    der
}

#[test]
fn ec_points_are_read_bare_and_wrapped() {
    for (algorithm, signing) in CURVES {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        let bare = pair.public_key().as_ref().to_vec();
        assert_eq!(ec_spki(algorithm, &bare).unwrap(), spki);
        assert_eq!(ec_spki(algorithm, &octet_string(&bare)).unwrap(), spki);
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
    let bare = pair.public_key().as_ref().to_vec();
    assert_eq!(ec_spki(KeyAlgorithm::ED25519, &bare).unwrap(), spki);
    assert_eq!(ec_spki(KeyAlgorithm::ED25519, &octet_string(&bare)).unwrap(), spki);
}

#[test]
fn a_bare_point_that_looks_like_an_octet_string_is_a_point() {
    // 04 3f and 63 bytes would parse as a shorter OCTET STRING.
    let mut bare = vec![0x55; 65];
    bare[..2].copy_from_slice(&[0x04, 0x3f]);
    assert!(ec_spki(KeyAlgorithm::P256, &bare).unwrap().ends_with(&bare));
}

#[test]
fn the_short_length_of_a_tpm_p521_point_is_accepted() {
    let mut bare = vec![0x01; 133];
    bare[0] = 0x04;
    let mut malformed = vec![0x04, 0x85];
    malformed.extend_from_slice(&bare);
    assert_eq!(malformed.len(), 135);
    assert_eq!(ec_spki(KeyAlgorithm::P521, &malformed), ec_spki(KeyAlgorithm::P521, &bare));
    assert!(ec_spki(KeyAlgorithm::P521, &malformed).is_some());
}

#[test]
fn what_is_no_point_of_the_curve_is_refused() {
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let bare = p256.public_key().as_ref();
    assert!(ec_spki(KeyAlgorithm::P384, bare).is_none());
    assert!(ec_spki(KeyAlgorithm::ED25519, bare).is_none());
    assert!(ec_spki(KeyAlgorithm::RSA_2048, bare).is_none());
    assert!(ec_spki(KeyAlgorithm::P256, &bare[..64]).is_none());
    assert!(ec_spki(KeyAlgorithm::P256, &octet_string(&bare[..64])).is_none());
    assert!(ec_spki(KeyAlgorithm::P256, &[]).is_none());
    let mut compressed_tag = bare.to_vec();
    compressed_tag[0] = 0x02;
    assert!(ec_spki(KeyAlgorithm::P256, &compressed_tag).is_none());
}

#[test]
fn rsa_keys_are_read_with_and_without_a_leading_zero() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let spki = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let modulus = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
    assert_eq!(rsa_spki(KeyAlgorithm::RSA_2048, &modulus, &RSA_EXPONENT).unwrap(), spki.as_ref());
    let padded = [vec![0], modulus.clone()].concat();
    assert_eq!(rsa_spki(KeyAlgorithm::RSA_2048, &padded, &[0, 1, 0, 1]).unwrap(), spki.as_ref());
    assert!(rsa_spki(KeyAlgorithm::RSA_3072, &modulus, &RSA_EXPONENT).is_none());
    assert!(rsa_spki(KeyAlgorithm::RSA_2048, &modulus, &[3]).is_none());
    assert!(rsa_spki(KeyAlgorithm::RSA_2048, &modulus[1..], &RSA_EXPONENT).is_none());
    assert!(rsa_spki(KeyAlgorithm::RSA_2048, &[], &[]).is_none());
    assert!(rsa_spki(KeyAlgorithm::P256, &modulus, &RSA_EXPONENT).is_none());
}

#[test]
fn curves_are_named_by_their_object_identifiers() {
    let dotted =
        |algorithm| ec_params(algorithm).map(|der| <const_oid::ObjectIdentifier>::from_der(&der).unwrap().to_string());
    assert_eq!(dotted(KeyAlgorithm::P256).as_deref(), Some("1.2.840.10045.3.1.7"));
    assert_eq!(dotted(KeyAlgorithm::P384).as_deref(), Some("1.3.132.0.34"));
    assert_eq!(dotted(KeyAlgorithm::P521).as_deref(), Some("1.3.132.0.35"));
    assert_eq!(dotted(KeyAlgorithm::ED25519).as_deref(), Some("1.3.101.112"));
    assert_eq!(dotted(KeyAlgorithm::RSA_4096), None);
}

#[test]
fn digest_info_is_der_of_the_hash_and_its_digest() {
    for (hash, oid) in [
        (HashAlgorithm::Sha256, "2.16.840.1.101.3.4.2.1"),
        (HashAlgorithm::Sha384, "2.16.840.1.101.3.4.2.2"),
        (HashAlgorithm::Sha512, "2.16.840.1.101.3.4.2.3"),
    ] {
        let digest = hash.digest(b"message");
        let der = digest_info(hash, &digest);
        let parsed = DigestInfo::from_der(&der).unwrap();
        assert_eq!(parsed.algorithm.oid.to_string(), oid);
        assert!(parsed.algorithm.parameters.is_some_and(|parameters| parameters.is_null()));
        assert_eq!(parsed.digest.as_bytes(), digest);
    }
}

#[derive(der::Sequence)]
struct DigestInfo {
    algorithm: spki::AlgorithmIdentifierOwned,
    digest: der::asn1::OctetString,
}

fn request(key: KeyAlgorithm, algorithm: SignatureAlgorithm, input: SignInput, spki: &[u8]) -> SignCall {
    SignCall { id: vec![1], key, spki: spki.to_vec(), algorithm, input }
}

#[test]
fn key_algorithm_and_input_must_go_together() {
    let digest = SignInput::Digest(vec![0; 32]);
    let refused = [
        request(KeyAlgorithm::P256, SignatureAlgorithm::RSA_PSS_SHA256, digest.clone(), &[]),
        request(KeyAlgorithm::RSA_2048, SignatureAlgorithm::ECDSA_SHA256, digest.clone(), &[]),
        request(KeyAlgorithm::P256, SignatureAlgorithm::ECDSA_SHA384, digest.clone(), &[]),
        request(KeyAlgorithm::ED25519, SignatureAlgorithm::ED25519, digest.clone(), &[]),
    ];
    for request in &refused {
        assert_eq!(check(request).unwrap_err().class, FailureClass::Unsupported, "{request:?}");
    }
    check(&request(KeyAlgorithm::P521, SignatureAlgorithm::ECDSA_SHA256, digest, &[])).unwrap();
}

#[test]
fn a_signature_verifies_for_its_own_key_and_message_only() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let other = Ed25519KeyPair::generate().unwrap();
    let spki = pair.public_key().as_der().unwrap();
    let asked = |text: &[u8], spki: &[u8]| {
        request(KeyAlgorithm::ED25519, SignatureAlgorithm::ED25519, SignInput::Message(text.to_vec()), spki)
    };
    let signature = pair.sign(b"message");
    assert!(verifies(&asked(b"message", spki.as_ref()), signature.as_ref()));
    assert!(!verifies(&asked(b"another", spki.as_ref()), signature.as_ref()));
    assert!(!verifies(&asked(b"message", other.public_key().as_der().unwrap().as_ref()), signature.as_ref()));
    assert!(!verifies(&asked(b"message", b"no key"), signature.as_ref()));
}

#[test]
fn pin_is_known_by_its_hash_for_its_token_alone() {
    let (wrong, right) = (Pin::new("111111".to_owned()), Pin::new("987654".to_owned()));
    let record = |token: &str, pin: &Pin, may_try| {
        let hash = known_pin::hash(pin).unwrap();
        assert!(!hash.contains(pin.expose()), "{hash}");
        KnownPin { token: token.to_owned(), hash, may_try }
    };
    let records = [record("serial 1", &wrong, false), record("serial 1", &right, true)];
    assert_ne!(records[0].hash, known_pin::hash(&wrong).unwrap(), "each has a salt of its own");
    let found = |token, pin| known_pin::find(&records, token, pin).map(|record| record.may_try);
    assert_eq!(found("serial 1", &wrong), Some(false));
    assert_eq!(found("serial 1", &right), Some(true));
    assert_eq!(found("serial 2", &right), None);
    assert_eq!(found("serial 1", &Pin::new("222222".to_owned())), None);
}

#[test]
fn signatures_that_wait_are_taken_together_and_other_calls_alone() {
    let (mut daemon, stream) = UnixStream::pair().unwrap();
    let mut outbox = Outbox::new(Arc::new(Mutex::new(stream.try_clone().unwrap())));
    let queue = Queue::new(Reader::new(stream), 1);
    let sign =
        || Call::Sign(request(KeyAlgorithm::ED25519, SignatureAlgorithm::ED25519, SignInput::Message(vec![1]), &[]));
    let Call::Sign(first) = sign() else { panic!("no signature") };
    let rest = vec![SignInput::Message(vec![2]); 4];
    let mut calls: Vec<Call> = std::iter::repeat_with(sign).take(20).collect();
    calls.extend([Call::Inventory, sign(), Call::SignBatch { first, rest }, sign(), Call::Inventory]);
    let mut frames = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        append(&mut frames, number as u64, call).unwrap();
    }
    daemon.write_all(&frames).unwrap();
    let mut take = |usual, of_many| {
        let taken = queue.take(BatchLimits { usual, of_many }, &mut outbox).unwrap();
        taken.iter().map(|(number, _)| *number).collect::<Vec<_>>()
    };
    assert_eq!(take(1, 4), [0, 1, 2, 3], "a quarter of those that wait");
    assert_eq!(take(2, 2), [4, 5]);
    assert_eq!(take(30, 30), (6..20).collect::<Vec<_>>(), "up to the first other call");
    assert_eq!(take(30, 30), [20]);
    assert_eq!(take(4, 4), [21], "the batch would be too much");
    assert_eq!(take(4, 4), [22], "too large a batch is taken alone");
    assert_eq!(take(4, 4), [23]);
    assert_eq!(take(4, 4), [24]);

    drop(daemon);
    assert!(queue.take(BatchLimits { usual: 1, of_many: 1 }, &mut outbox).is_err(), "the daemon has gone");
}

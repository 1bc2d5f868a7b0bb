#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use axum::body::to_bytes;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::error::{Cause, ConnectError, GatewayError, NO_SUCH_KEY, Refusal};
use super::message::{Object, Presence};
use super::wire::{Bits, CreateWebKey, Unspecified};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{HashAlgorithm, KeyAlgorithm, SignatureAlgorithm, SignatureScheme};

async fn body(answer: impl IntoResponse) -> (u16, Value) {
    let response = answer.into_response();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap())
}

fn read(text: &str, unspecified: Unspecified) -> Option<(KeyAlgorithm, SignatureAlgorithm)> {
    let message: CreateWebKey = serde_json::from_str(text).ok()?;
    let new = message.read(unspecified).ok()?;
    Some((new.algorithm, new.signature_algorithm))
}

#[tokio::test]
async fn every_kind_of_error_has_a_code_and_a_status_in_both_shapes() {
    let table = [
        (ErrorKind::Invalid, 3, "invalid_argument", 400),
        (ErrorKind::Malformed, 3, "invalid_argument", 400),
        (ErrorKind::TooLarge, 8, "resource_exhausted", 413),
        (ErrorKind::UnsupportedMediaType, 12, "unimplemented", 415),
        (ErrorKind::MethodNotAllowed, 12, "unimplemented", 405),
        (ErrorKind::Conflict, 10, "aborted", 409),
        (ErrorKind::InUse, 9, "failed_precondition", 400),
        (ErrorKind::Forbidden, 7, "permission_denied", 403),
        (ErrorKind::NotExportable, 9, "failed_precondition", 400),
        (ErrorKind::Unsupported, 9, "failed_precondition", 400),
        (ErrorKind::Busy, 14, "unavailable", 503),
        (ErrorKind::ProviderUnavailable, 14, "unavailable", 503),
        (ErrorKind::Deadline, 14, "unavailable", 503),
        (ErrorKind::Throttled, 8, "resource_exhausted", 429),
        (ErrorKind::Damaged, 13, "internal", 500),
        (ErrorKind::Internal, 13, "internal", 500),
    ];
    for (kind, number, word, status) in table {
        let (gateway, answer) = body(GatewayError::from(Error::new(kind, "why"))).await;
        assert_eq!((gateway, &answer["code"]), (status, &json!(number)), "{kind:?}");
        let (connect, answer) = body(ConnectError::from(Error::new(kind, "why"))).await;
        assert_eq!((connect, &answer["code"]), (status, &json!(word)), "{kind:?}");
    }
}

#[tokio::test]
async fn key_that_is_not_there_is_no_path_that_is_not_there() {
    let of_a_path = || Error::new(ErrorKind::NotFound, "there is nothing at this path");
    assert_eq!(
        body(GatewayError::from(of_a_path())).await,
        (404, json!({"code": 5, "message": "Not Found", "details": []}))
    );
    assert_eq!(body(ConnectError::from(of_a_path())).await.1["code"], "unimplemented");
    assert_eq!(body(ConnectError::from(Refusal::of(ErrorKind::NotFound, NO_SUCH_KEY))).await.1["code"], "not_found");
}

#[tokio::test]
async fn detail_of_more_than_127_bytes_has_a_length_of_two_bytes() {
    const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let (_, answer) = body(ConnectError::from(Refusal::of(ErrorKind::InUse, Cause { id: "A", text: LONG }))).await;
    // 0a 01 41, 12 c8 01, then 200 times 78.
    let value = answer["details"][0]["value"].as_str().unwrap();
    assert!(value.starts_with("CgFBEsgBeHh4"), "{value}");
    assert!(!value.ends_with('='));
}

#[test]
fn enumerated_values_come_by_name_or_by_number() {
    let read = |text: &str| serde_json::from_str::<Presence<Bits>>(text).ok();
    for text in ["\"RSA_BITS_3072\"", "2", "2.0", "2e0", "20e-1"] {
        assert_eq!(read(text), Some(Presence::Known(Bits::Bits3072)), "{text}");
    }
    for text in ["4", "-1", "2147483647", "-2147483648"] {
        assert_eq!(read(text), Some(Presence::Undefined), "{text}");
    }
    for text in ["\"2\"", "\"rsa_bits_3072\"", "2.5", "2147483648", "-2147483649", "1e300", "true", "[2]", "{}"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn what_is_left_open_is_a_default_in_v3alpha_and_refused_elsewhere() {
    let rsa = |algorithm, hash| Some((algorithm, SignatureScheme::RsaPkcs1(hash).into()));
    let ecdsa = |algorithm, hash| Some((algorithm, SignatureScheme::Ecdsa(hash).into()));
    let table = [
        (r#"{"rsa": {}}"#, rsa(KeyAlgorithm::RSA_2048, HashAlgorithm::Sha256)),
        (r#"{"rsa": {"bits": 3}}"#, rsa(KeyAlgorithm::RSA_4096, HashAlgorithm::Sha256)),
        (r#"{"rsa": {"bits": 0, "hasher": "RSA_HASHER_SHA384"}}"#, rsa(KeyAlgorithm::RSA_2048, HashAlgorithm::Sha384)),
        (r#"{"ecdsa": {"curve": null}}"#, ecdsa(KeyAlgorithm::P256, HashAlgorithm::Sha256)),
    ];
    for (text, expected) in table {
        assert_eq!(read(text, Unspecified::Default), expected, "{text}");
        assert_eq!(read(text, Unspecified::Refused), None, "{text}");
    }
    for text in [r#"{"rsa": {"bits": 7}}"#, r#"{"rsa": {}, "ecdsa": {}}"#, r#"{"ed25519": {}, "ecdsa": {"curve": 1}}"#]
    {
        assert_eq!(read(text, Unspecified::Default), None, "{text}");
    }
    for unspecified in [Unspecified::Default, Unspecified::Refused] {
        assert_eq!(read("{}", unspecified), rsa(KeyAlgorithm::RSA_2048, HashAlgorithm::Sha256));
        let p521 = ecdsa(KeyAlgorithm::P521, HashAlgorithm::Sha512);
        assert_eq!(read(r#"{"ecdsa": {"curve": "ECDSA_CURVE_P512"}}"#, unspecified), p521);
    }
}

#[test]
fn message_in_a_message_is_an_object() {
    assert_eq!(serde_json::from_str::<Object<Vec<u8>>>("[1]").ok(), None);
    assert_eq!(serde_json::from_str::<Object<Value>>("{}").ok(), Some(Object(json!({}))));
}

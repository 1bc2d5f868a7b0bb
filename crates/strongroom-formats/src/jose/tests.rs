#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{Any, BitString, UintRef};
use der::{Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use serde_json::json;

use super::{Jwk, UnsignedJws, UnsupportedKey, algorithm_name, algorithm_of, thumbprint};
use crate::json::JsonText;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyUse, Signature, SignatureAlgorithm, SignatureScheme, SpkiDer,
};

fn spki(oid: ObjectIdentifier, parameters: Option<Any>, key: &[u8]) -> SpkiDer {
    let algorithm = AlgorithmIdentifierOwned { oid, parameters };
    let spki = SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(key).unwrap() };
    SpkiDer::parse(spki.to_der().unwrap()).unwrap()
}

fn ec(curve: ObjectIdentifier, point: &[u8]) -> SpkiDer {
    spki(ID_EC_PUBLIC_KEY, Some(Any::encode_from(&curve).unwrap()), point)
}

fn rsa(n: &str, e: &str) -> SpkiDer {
    #[derive(Sequence)]
    struct Key<'a> {
        n: UintRef<'a>,
        e: UintRef<'a>,
    }
    let (n, e) = (URL_SAFE_NO_PAD.decode(n).unwrap(), URL_SAFE_NO_PAD.decode(e).unwrap());
    let key = Key { n: UintRef::new(&n).unwrap(), e: UintRef::new(&e).unwrap() }.to_der().unwrap();
    spki(RSA_ENCRYPTION, Some(Any::null()), &key)
}

#[test]
fn thumbprint_is_that_of_rfc_7638_section_3_1() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n\
             3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd\
             AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur\
             -kEgU8awapJzKnqDKgw";
    let kid = thumbprint(&rsa(n, "AQAB")).unwrap();
    assert_eq!(kid.as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn thumbprint_is_that_of_rfc_8037_appendix_a_3() {
    let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let kid = thumbprint(&spki(ID_ED_25519, None, &x)).unwrap();
    assert_eq!(kid.as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// The object of RFC 7638 section 3.2 hashed by hand, with the key of RFC 7517 appendix A.1.
#[test]
fn thumbprint_of_an_ec_key_hashes_crv_kty_x_y() {
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let point = [vec![4], URL_SAFE_NO_PAD.decode(x).unwrap(), URL_SAFE_NO_PAD.decode(y).unwrap()].concat();
    let object = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, object.as_bytes());
    let kid = thumbprint(&ec(SECP_256_R_1, &point)).unwrap();
    assert_eq!(kid.as_str(), URL_SAFE_NO_PAD.encode(digest));
    assert_eq!(kid.as_str(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
}

/// A coordinate keeps its leading zeros (RFC 7518 section 6.2.1.2).
#[test]
fn coordinates_keep_the_width_of_their_curve() {
    let mut point = vec![4];
    point.extend([0; 66]);
    point.extend([7; 66]);
    let object = format!(
        r#"{{"crv":"P-521","kty":"EC","x":"{}","y":"{}"}}"#,
        URL_SAFE_NO_PAD.encode([0; 66]),
        URL_SAFE_NO_PAD.encode([7; 66])
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, object.as_bytes());
    assert_eq!(thumbprint(&ec(SECP_521_R_1, &point)).unwrap().as_str(), URL_SAFE_NO_PAD.encode(digest));
}

#[test]
fn keys_of_other_kinds_have_no_thumbprint() {
    let compressed = [vec![2], vec![9; 32]].concat();
    assert_eq!(thumbprint(&ec(SECP_256_R_1, &compressed)), Err(UnsupportedKey));
    assert_eq!(thumbprint(&ec(SECP_256_R_1, &[4])), Err(UnsupportedKey));
    let secp256k1 = ObjectIdentifier::new_unwrap("1.3.132.0.10");
    assert_eq!(thumbprint(&ec(secp256k1, &[vec![4], vec![9; 64]].concat())), Err(UnsupportedKey));
    assert_eq!(thumbprint(&spki(ID_EC_PUBLIC_KEY, None, &[4; 65])), Err(UnsupportedKey));
    assert_eq!(thumbprint(&spki(ID_ED_25519, None, &[1; 31])), Err(UnsupportedKey));
    assert_eq!(thumbprint(&spki(RSA_ENCRYPTION, Some(Any::null()), b"no key")), Err(UnsupportedKey));
    assert_eq!(thumbprint(&spki(ObjectIdentifier::new_unwrap("1.3.101.110"), None, &[1; 32])), Err(UnsupportedKey));
}

#[test]
fn names_of_algorithms_are_those_of_their_keys() {
    for key in KeyAlgorithm::all() {
        for algorithm in SignatureAlgorithm::all() {
            match algorithm_name(key, algorithm) {
                Some(name) => assert_eq!(algorithm_of(key, name), Some(algorithm), "{key} {name}"),
                None => assert!(!matches!(algorithm.scheme(), SignatureScheme::RsaPss(_)) || !algorithm.fits(key)),
            }
        }
    }
    assert_eq!(algorithm_of(KeyAlgorithm::P384, "ES256"), None);
    assert_eq!(algorithm_of(KeyAlgorithm::ED25519, "Ed25519"), Some(SignatureAlgorithm::ED25519));
    assert_eq!(algorithm_of(KeyAlgorithm::RSA_2048, "none"), None);
}

/// The example of RFC 8037 appendix A.4.
#[test]
fn compact_serialization_is_that_of_the_standard() {
    let header = JsonText::parse(r#"{"alg":"EdDSA"}"#).unwrap();
    let jws = || UnsignedJws::new(&header, b"Example of Ed25519 signing");
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(jws().signing_input(), input.as_bytes());
    let signature = Signature::from_raw(SignatureAlgorithm::ED25519, vec![0xff; 3]);
    assert_eq!(jws().compact(&signature, false), format!("{input}.____"));
    assert_eq!(jws().compact(&signature, true), "eyJhbGciOiJFZERTQSJ9..____");
}

/// The public key of RFC 7517 appendix A.1.
#[test]
fn jwk_has_public_members_names_and_certificates_and_nothing_else() {
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let point = [vec![4], URL_SAFE_NO_PAD.decode(x).unwrap(), URL_SAFE_NO_PAD.decode(y).unwrap()].concat();
    let bare = Jwk::from_spki(&ec(SECP_256_R_1, &point)).unwrap();
    assert_eq!(json!(bare), json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}));
    let named = bare.with_kid("1").with_use(KeyUse::Sign, Some("ES256")).with_x5c(&[]);
    let expected = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": "1"});
    assert_eq!(json!(named), expected);
    let chain = [CertificateDer::from_stored(b"leaf".to_vec()), CertificateDer::from_stored(b"issuer".to_vec())];
    let full = json!(named.with_x5c(&chain));
    // The digest by another tool: printf leaf | openssl dgst -sha256 -binary | basenc --base64url
    assert_eq!(full["x5t#S256"], "n5EWH0NDPkmm3m22gNefYBWfLkrJFyYhoShGQoFYRAs");
    assert_eq!(full["x5c"], json!(["bGVhZg==", "aXNzdWVy"]));
}

#[test]
fn jwk_of_a_key_that_decrypts_says_so() {
    let jwk = Jwk::from_spki(&rsa("_-8", "AQAB")).unwrap().with_use(KeyUse::Decrypt, Some("RSA-OAEP-256"));
    assert_eq!(json!(jwk), json!({"kty": "RSA", "n": "_-8", "e": "AQAB", "use": "enc", "alg": "RSA-OAEP-256"}));
    assert_eq!(Jwk::from_spki(&ec(SECP_256_R_1, &[4])), Err(UnsupportedKey));
}

//! Certificates put together byte by byte, for what openssl does not write.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::x509::tlv::{
    BIT_STRING, BOOLEAN, CONTEXT, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTC_TIME, encode,
};
use strongroom_domain::key::CertificateDer;

/// ecdsa-with-SHA256.
const ALGORITHM: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const UNIVERSAL: u8 = 0x1c;

/// What stands in a certificate; the rest is usual.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) serial: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) not_before: (u8, &'static str),
    pub(super) not_after: (u8, &'static str),
    pub(super) subject: Vec<u8>,
    pub(super) spki: Vec<u8>,
    /// Each in DER.
    pub(super) extensions: Vec<Vec<u8>>,
}

impl Forged {
    /// Of a key, by itself.
    pub(super) fn new(key: &EcdsaKeyPair, name: &[u8]) -> Self {
        Self {
            serial: vec![1],
            issuer: name.to_vec(),
            not_before: (UTC_TIME, "250101000000Z"),
            not_after: (UTC_TIME, "450101000000Z"),
            subject: name.to_vec(),
            spki: spki(key),
            extensions: Vec::new(),
        }
    }

    pub(super) fn sign(&self, by: &EcdsaKeyPair) -> CertificateDer {
        let time = |(tag, text): (u8, &str)| encode(tag, text.as_bytes());
        let version: &[u8] = &[0xa0, 3, 2, 1, 2];
        let extensions = match self.extensions.concat() {
            none if none.is_empty() => none,
            some => encode(CONTEXT[3], &encode(SEQUENCE, &some)),
        };
        let fields = [
            version,
            &encode(INTEGER, &self.serial),
            ALGORITHM,
            &self.issuer,
            &encode(SEQUENCE, &[time(self.not_before), time(self.not_after)].concat()),
            &self.subject,
            &self.spki,
            &extensions,
        ];
        let tbs = encode(SEQUENCE, &fields.concat());
        let signature = by.sign(&SystemRandom::new(), &tbs).unwrap();
        let signature = encode(BIT_STRING, &[&[0], signature.as_ref()].concat());
        let der = encode(SEQUENCE, &[tbs, ALGORITHM.to_vec(), signature].concat());
        CertificateDer::parse(der).unwrap_or_else(|_| panic!("it is laid out as a certificate"))
    }
}

pub(super) fn key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()
}

pub(super) fn spki(key: &EcdsaKeyPair) -> Vec<u8> {
    key.public_key().as_der().unwrap().as_ref().to_vec()
}

/// A name of attributes, each by its short identifier under 2.5.4, the type of its string, and the string.
pub(super) fn name(attributes: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let attribute = |(id, tag, value): &(u8, u8, &[u8])| {
        let id = encode(OBJECT_IDENTIFIER, &[0x55, 0x04, *id]);
        encode(SET, &encode(SEQUENCE, &[id, encode(*tag, value)].concat()))
    };
    encode(SEQUENCE, &attributes.iter().map(attribute).collect::<Vec<_>>().concat())
}

pub(super) fn common_name(text: &str) -> Vec<u8> {
    name(&[(3, UTF8, text.as_bytes())])
}

/// Basic constraints of a certificate authority, with the number of others below it in big-endian.
pub(super) fn authority(path_length: &[u8]) -> Vec<u8> {
    let length = if path_length.is_empty() { Vec::new() } else { encode(INTEGER, path_length) };
    extension(0x13, &encode(SEQUENCE, &[encode(BOOLEAN, &[0xff]), length].concat()))
}

/// An extension by its short identifier under 2.5.29.
pub(super) fn extension(id: u8, value: &[u8]) -> Vec<u8> {
    encode(SEQUENCE, &[encode(OBJECT_IDENTIFIER, &[0x55, 0x1d, id]), encode(OCTET_STRING, value)].concat())
}

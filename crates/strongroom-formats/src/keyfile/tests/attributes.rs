//! What PKCS#12 files say besides keys and certificates: attributes of bags, kinds of MACs, kinds of no password.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::keyfile::kdf::{self, KdfPurpose, Password};
use crate::keyfile::kdf_budget::KdfBudget;
use crate::keyfile::{Pkcs12Mac, to_pkcs12};
use crate::x509::certificates;
use crate::x509::tlv::{INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Tlv, encode};
use strongroom_domain::key::CertificateDer;

const KEY_BAG: u8 = 1;
const CERT_BAG: u8 = 3;
const CRL_BAG: u8 = 4;
const SAFE_CONTENTS_BAG: u8 = 6;

/// A bag of a kind, with a `localKeyID` and a `friendlyName` where they are given.
fn bag(kind: u8, value: &[u8], id: Option<&[u8]>, name: Option<&str>) -> Vec<u8> {
    let attribute = |last: u8, value: &[u8]| {
        let id = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, last]);
        encode(SEQUENCE, &[id, encode(SET, value)].concat())
    };
    let name: Option<Vec<u8>> = name.map(|name| name.encode_utf16().flat_map(u16::to_be_bytes).collect());
    let attributes = [
        name.map(|name| attribute(20, &encode(0x1e, &name))).unwrap_or_default(),
        id.map(|id| attribute(21, &encode(OCTET_STRING, id))).unwrap_or_default(),
    ]
    .concat();
    let attributes = if attributes.is_empty() { attributes } else { encode(SET, &attributes) };
    let kind = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, kind]);
    encode(SEQUENCE, &[kind, encode(0xa0, value), attributes].concat())
}

fn certificate_bag(certificate: &CertificateDer, id: Option<&[u8]>, name: Option<&str>) -> Vec<u8> {
    let kind = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01]);
    let value = encode(0xa0, &encode(OCTET_STRING, certificate.as_bytes()));
    bag(CERT_BAG, &encode(SEQUENCE, &[kind, value].concat()), id, name)
}

/// A file without a MAC and without encryption.
fn pfx(bags: &[Vec<u8>], mac: &[u8]) -> Vec<u8> {
    let safe = encode(SEQUENCE, &data(&encode(SEQUENCE, &bags.concat())));
    encode(SEQUENCE, &[encode(INTEGER, &[3]), data(&safe), mac.to_vec()].concat())
}

fn data(contents: &[u8]) -> Vec<u8> {
    let kind = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]);
    encode(SEQUENCE, &[kind, encode(0xa0, &encode(OCTET_STRING, contents))].concat())
}

/// Key, certificate that is over, and the one after it, of one key.
fn renewed(at: &Path) -> (Vec<u8>, CertificateDer, CertificateDer) {
    let key = openssl(at, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER");
    let with = |days: &str| {
        let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -outform DER";
        certificates(&openssl(at, &format!("x509 -req -in leaf.csr {by} -days {days}"))).unwrap().remove(0)
    };
    (key, with("-1"), with("30"))
}

#[test]
fn local_key_id_names_the_certificate_of_the_key() {
    let folder = folder(KeyAlgorithm::P256);
    let (key, over, new) = renewed(folder.path());
    let (mine, other): (&[u8], &[u8]) = (b"mine", b"other");
    for (of_over, of_new, named) in [
        (Some(mine), Some(other), Some(&over)),
        (Some(other), Some(mine), Some(&new)),
        (None, Some(mine), Some(&new)),
        (Some(mine), Some(mine), None),
        (None, None, None),
        (Some(other), None, None),
    ] {
        let bags = [
            certificate_bag(&over, of_over, Some("old")),
            certificate_bag(&new, of_new, None),
            bag(KEY_BAG, &key, Some(mine), Some("Käse 🧀")),
        ];
        let read = read(&pfx(&bags, &[]), None, &password()).unwrap();
        assert_eq!(read.leaf.as_ref(), named, "{of_over:?} {of_new:?}");
        assert_eq!(read.friendly_name.as_deref(), Some("Käse 🧀"));
        assert!(read.certificates.len() == 2 && named.is_none_or(|named| *named == read.certificates[0]));
    }
    // Without identifiers nothing is named: two absent ones are not the same.
    let bags = [certificate_bag(&over, None, None), bag(KEY_BAG, &key, None, None)];
    let read = read(&pfx(&bags, &[]), None, &password()).unwrap();
    assert_eq!((read.leaf, read.friendly_name), (None, None));
}

#[test]
fn bags_inside_of_bags_are_read_and_their_number_and_depth_bounded() {
    let folder = folder(KeyAlgorithm::P256);
    let (key, _, new) = renewed(folder.path());
    let nested = |depth: usize| {
        let mut bags = [certificate_bag(&new, None, None), bag(KEY_BAG, &key, None, None)].concat();
        for _ in 0..depth {
            bags = bag(SAFE_CONTENTS_BAG, &encode(SEQUENCE, &bags), None, None);
        }
        pfx(&[bags], &[])
    };
    for depth in [0, 1, 8] {
        assert_eq!(read(&nested(depth), None, &password()).unwrap().certificates, std::slice::from_ref(&new));
    }
    let before = std::time::Instant::now();
    for depth in [9, 100, 1000] {
        let failure = read(&nested(depth), None, &password()).unwrap_err();
        assert!(matches!(&failure, KeyFileError::Excessive(text) if text.contains("nested")), "{depth}: {failure}");
    }
    let many = pfx(&vec![bag(CRL_BAG, &[5, 0], None, None); 10_000], &[]);
    let failure = read(&many, None, &password()).unwrap_err();
    assert_eq!(failure, KeyFileError::Excessive("10000 bags, at most 256 are accepted".to_owned()));
    let many = pfx(&vec![bag(KEY_BAG, &key, None, None); 257], &[]);
    assert!(matches!(read(&many, None, &password()), Err(KeyFileError::Excessive(_))));
    assert!(before.elapsed() < std::time::Duration::from_secs(3), "{:?}", before.elapsed());
}

#[test]
fn pbmac1_of_openssl_is_read() {
    let file: String = include_str!("pbmac1.b64").split_whitespace().collect();
    let der = STANDARD.decode(&file).unwrap();
    let secret = Secret::new(b"secret".to_vec());
    let read = |data: &[u8]| read(data, None, &secret);
    assert_eq!((read(&der).unwrap().algorithm, read(&der).unwrap().certificates.len()), (KeyAlgorithm::P256, 1));
    assert_eq!(super::read(&der, None, &password()).unwrap_err(), KeyFileError::WrongPassword);
    // A byte of what is under the MAC.
    let mut altered = der.clone();
    altered[80] ^= 1;
    assert_eq!(read(&altered).unwrap_err(), KeyFileError::WrongPassword);
    // The length of the key: 0 and 19 are too short, and a count of 8,388,607 iterations too many.
    let length = der.windows(7).rposition(|bytes| bytes == [0x02, 0x01, 0x20, 0x30, 0x0c, 0x06, 0x08]).unwrap();
    for short in [0, 19] {
        let mut changed = der.clone();
        changed[length + 2] = short;
        let failure = read(&changed).unwrap_err();
        assert!(matches!(&failure, KeyFileError::Malformed(text) if text.contains("keyLength")), "{failure}");
    }
}

#[test]
fn pbmac1_is_written_on_request() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let pem = [file(at, "key.pem"), file(at, "leaf.pem")].concat();
    let key = read(&pem, None, &password()).unwrap();
    for (mac, is_pbmac1) in [(Pkcs12Mac::default(), false), (Pkcs12Mac::Pbmac1, true)] {
        let p12 = to_pkcs12(&key.pkcs8, &key.certificates, &password(), mac).unwrap();
        let again = read(&p12, None, &password()).unwrap();
        assert_eq!((again.spki, again.certificates), (key.spki.clone(), key.certificates.clone()));
        assert_eq!(again.leaf.as_ref(), key.certificates.first(), "key and leaf have one localKeyID");
        assert_eq!(read(&p12, None, &Secret::new(b"x".to_vec())).unwrap_err(), KeyFileError::WrongPassword);
        std::fs::write(at.join("out.p12"), p12).unwrap();
        let shown = String::from_utf8(openssl(at, "asn1parse -inform DER -in out.p12")).unwrap();
        let tail: String = shown.lines().rev().take(20).collect();
        let says = |oid: &str| tail.contains(oid);
        // openssl 3.0 has no name for it.
        assert_eq!(says(":1.2.840.113549.1.5.14") || says(":PBMAC1"), is_pbmac1, "{tail}");
        assert_eq!(says(":hmacWithSHA256"), is_pbmac1, "{tail}");
    }
}

#[test]
fn no_password_is_a_password_of_two_kinds() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let none = Secret::new(Vec::new());
    let p12 = "pkcs12 -export -inkey key.pem -in leaf.pem -passout pass:";
    for options in ["", "-legacy", "-nomac", "-keypbe NONE -certpbe NONE"] {
        let data = openssl(at, &format!("{p12} {options}"));
        assert_is_key(&read(&data, None, &none), at, KeyAlgorithm::P256, options);
        if !options.contains("NONE") {
            assert_eq!(read(&data, None, &password()).unwrap_err(), KeyFileError::WrongPassword, "{options}");
        }
    }
    let key = openssl(at, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER");
    let bags = [bag(KEY_BAG, &key, None, None)];
    let safe = encode(SEQUENCE, &data(&encode(SEQUENCE, &bags.concat())));
    for kind in [Password::Text(""), Password::Absent] {
        let sha256 = &aws_lc_rs::digest::SHA256;
        let mac = kdf::derive(sha256, kind, b"salt", KdfPurpose::Mac, 2, 32, &mut KdfBudget::new()).unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &mac), &safe);
        let id = encode(OBJECT_IDENTIFIER, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]);
        let digest = [encode(SEQUENCE, &id), encode(OCTET_STRING, tag.as_ref())].concat();
        let mac = [encode(SEQUENCE, &digest), encode(OCTET_STRING, b"salt"), encode(INTEGER, &[2])].concat();
        let file = pfx(&bags, &encode(SEQUENCE, &mac));
        assert_is_key(&read(&file, None, &none), at, KeyAlgorithm::P256, "by hand");
        assert_eq!(read(&file, None, &password()).unwrap_err(), KeyFileError::WrongPassword);
        std::fs::write(at.join("by-hand.p12"), file).unwrap();
        openssl(at, "pkcs12 -in by-hand.p12 -nodes -passin pass:");
    }
}

#[test]
fn harmless_bytes_after_the_end_and_other_armours_are_told() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let p12 = openssl(at, "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw");
    let key = openssl(at, "pkey -in key.pem -outform DER");
    for whole in [&p12, &key] {
        for after in [&b"\0"[..], b"\0\0\0\0\0\0\0", b"\n", b"\r\n\r\n", b"\x1a", b" \0\n"] {
            let data = [whole.as_slice(), after].concat();
            assert_is_key(&read(&data, None, &password()), at, KeyAlgorithm::P256, "with bytes after it");
            let armoured = STANDARD.encode(&data);
            assert_is_key(&read(armoured.as_bytes(), None, &password()), at, KeyAlgorithm::P256, "in base64");
        }
        let failure = read(&[whole.as_slice(), b"more"].concat(), None, &password()).unwrap_err().to_string();
        assert!(failure.contains("4 bytes follow the end"), "{failure}");
    }
    let text = String::from_utf8([file(at, "key.pem"), file(at, "leaf.pem")].concat()).unwrap();
    let units = || text.encode_utf16();
    for wide in [
        units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
        units().flat_map(u16::to_be_bytes).collect(),
        [0xfeff].into_iter().chain(units()).flat_map(u16::to_le_bytes).collect(),
    ] {
        for data in [wide.clone(), STANDARD.encode(&wide).into_bytes()] {
            let failure = read(&data, None, &password()).unwrap_err().to_string();
            assert!(failure.contains("UTF-16"), "{failure}");
        }
    }
    for once in [STANDARD.encode(&p12), STANDARD.encode(&key)] {
        let failure = read(STANDARD.encode(&once).as_bytes(), None, &password()).unwrap_err().to_string();
        assert!(failure.contains("base64 of base64"), "{failure}");
    }
    let marked = format!("\u{feff}{text}");
    assert_is_key(&read(marked.as_bytes(), None, &password()), at, KeyAlgorithm::P256, "with a byte order mark");
    openssl(at, "crl2pkcs7 -nocrl -certfile leaf.pem -certfile ca.pem -out chain.p7b");
    let chain = String::from_utf8(file(at, "chain.p7b")).unwrap();
    for label in ["PKCS7", "CMS", "PKCS #7 SIGNED DATA"] {
        let data = String::from_utf8(file(at, "key.pem")).unwrap() + &chain.replace("PKCS7", label);
        assert_eq!(read(data.as_bytes(), None, &password()).unwrap().certificates.len(), 2, "{label}");
        assert_eq!(certificates(chain.replace("PKCS7", label).as_bytes()).unwrap().len(), 2, "{label}");
    }
}

#[test]
fn lengths_left_open_inside_of_others_are_read() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let leaf = openssl(at, "x509 -in leaf.pem -outform DER");
    let open = |tag: u8, contents: &[u8]| [&[tag, 0x80], contents, &[0, 0]].concat();
    let signed = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02]);
    let kind = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]);
    let fields = [&[2, 1, 1, 0x31, 0][..], &encode(SEQUENCE, &kind), &open(0xa0, &leaf), &[0x31, 0]].concat();
    for data in [
        encode(SEQUENCE, &[signed.clone(), encode(0xa0, &open(SEQUENCE, &fields))].concat()),
        open(SEQUENCE, &[signed.clone(), encode(0xa0, &encode(SEQUENCE, &fields))].concat()),
        encode(SEQUENCE, &[signed, open(0xa0, &open(SEQUENCE, &fields))].concat()),
    ] {
        assert_eq!(certificates(&data).unwrap()[0].as_bytes(), leaf);
        assert_eq!(certificates(&[data.as_slice(), &[0, 0, 0]].concat()).unwrap()[0].as_bytes(), leaf);
        assert_eq!(certificates(STANDARD.encode(&data).as_bytes()).unwrap()[0].as_bytes(), leaf);
    }
    // The same in a PKCS#12 file: each structure in turn.
    let key = openssl(at, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER");
    let bags = bag(KEY_BAG, &key, None, None);
    let inside = Tlv::only(&bags).unwrap().contents.to_vec();
    for bags in [open(SEQUENCE, &bags), encode(SEQUENCE, &open(SEQUENCE, &inside))] {
        let safe = encode(SEQUENCE, &data(&bags));
        let file = encode(SEQUENCE, &[encode(INTEGER, &[3]), data(&safe)].concat());
        assert_is_key(&read(&file, None, &password()), at, KeyAlgorithm::P256, "open inside");
    }
}

//! Summaries, with openssl as the oracle.

use std::path::Path;

use proptest::prelude::*;

use super::openssl;
use crate::x509::summary::decimal;
use crate::x509::{AlternativeName, CertificateSummary, check_readable, verify_encoded};
use strongroom_domain::key::{CertificateDer, SignatureAlgorithm, SpkiDer};

const NAMES: &str = "subjectAltName=DNS:example.com,DNS:*.example.org,IP:192.0.2.7,IP:2001:db8::7,email:a@example.com,\
                     URI:https://example.com/,RID:1.2.3.4,otherName:1.2.3.4;UTF8:other,dirName:dir";
const CONFIG: &str = "[req]\ndistinguished_name=req\n[dir]\nCN=somebody\n";

/// A self-signed certificate by openssl with a key that is already in the folder.
fn foreign(folder: &Path, key: &str, more: &[&str]) -> CertificateDer {
    std::fs::write(folder.join("config"), CONFIG).unwrap();
    let arguments = ["req", "-x509", "-config", "config", "-key", key, "-utf8", "-outform", "DER", "-out", "der"];
    openssl(folder, &[arguments.as_slice(), more].concat());
    CertificateDer::parse(std::fs::read(folder.join("der")).unwrap()).unwrap()
}

fn field(folder: &Path, arguments: &[&str]) -> String {
    let text = openssl(folder, &[["x509", "-inform", "DER", "-in", "der", "-noout"].as_slice(), arguments].concat());
    text.trim_end_matches('\n').split_once('=').unwrap().1.to_owned()
}

/// Holds every field of the summary of the certificate in `der` against openssl's.
fn agrees_with_openssl(folder: &Path, certificate: &CertificateDer) -> CertificateSummary {
    let summary = CertificateSummary::of(certificate).unwrap();
    let options = "esc_2253,esc_ctrl,utf8,dump_nostr,dump_der,sep_comma_plus_space,dn_rev,sname";
    let subject = field(folder, &["-subject", "-nameopt", options]).replace("emailAddress=", "EMAILADDRESS=");
    assert_eq!(summary.subject, subject);
    assert_eq!(
        summary.issuer,
        field(folder, &["-issuer", "-nameopt", options]).replace("emailAddress=", "EMAILADDRESS=")
    );
    assert_eq!(summary.sha1_fingerprint, field(folder, &["-fingerprint", "-sha1"]).replace(':', ""));
    assert_eq!(summary.sha256_fingerprint, field(folder, &["-fingerprint", "-sha256"]).replace(':', ""));
    let text = openssl(folder, &["x509", "-inform", "DER", "-in", "der", "-noout", "-text"]);
    assert!(text.contains(&format!("Version: {} (", summary.version)), "{text}");
    let iso = |date: String| date.replace(' ', "T").replace('Z', ".000Z");
    assert_eq!(summary.not_before.to_string(), iso(field(folder, &["-startdate", "-dateopt", "iso_8601"])));
    assert_eq!(summary.not_after.to_string(), iso(field(folder, &["-enddate", "-dateopt", "iso_8601"])));
    let serial = field(folder, &["-serial"]);
    let (sign, hex) = serial.strip_prefix('-').map_or(("", serial.as_str()), |hex| ("-", hex));
    assert_eq!(summary.serial_number, format!("{sign}{}", naive_decimal(hex)));
    summary
}

/// Decimal digits of a hex number, one by one.
fn naive_decimal(hex: &str) -> String {
    let mut digits = vec![0];
    for char in hex.chars() {
        let mut carry = char.to_digit(16).unwrap();
        for digit in &mut digits {
            carry += *digit * 16;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry != 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    let text: String = digits.iter().rev().map(|digit| char::from_digit(*digit, 10).unwrap()).collect();
    let trimmed = text.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

fn folder_with_keys() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    openssl(folder.path(), &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa"]);
    openssl(folder.path(), &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec"]);
    openssl(folder.path(), &["genpkey", "-algorithm", "ED448", "-out", "ed448"]);
    folder
}

#[test]
fn summaries_agree_with_openssl() {
    let folder = folder_with_keys();
    let rows = [
        ("ec", "/C=US/O=Ping Identity/CN=Example", "-set_serial", "28463092959443571178990831419139562736"),
        ("ec", "/C=AT/ST=Wien/L=Wien/O=Söhne, Inc./OU=# 1 ;/CN=a\\+b<c>", "-set_serial", "1"),
        ("ec", "/CN= blank /emailAddress=a@example.com", "-set_serial", "0"),
        ("ec", "/CN=x", "-set_serial", "0x7fffffffffffffffffffffffffffffffffffffff"),
        ("ec", "/CN=x", "-set_serial", "0xffffffffffffffffffffffffffffffffffffffff"),
        ("ec", "/CN=x", "-set_serial", "-255"),
        ("rsa", "/CN=far in the future", "-days", "20000"),
    ];
    for (key, subject, option, value) in rows {
        let certificate = foreign(folder.path(), key, &["-subj", subject, option, value]);
        let summary = agrees_with_openssl(folder.path(), &certificate);
        assert_eq!(summary.alternative_names, []);
    }
}

#[test]
fn names_of_other_types_hide_no_name() {
    let folder = folder_with_keys();
    let certificate = foreign(folder.path(), "ec", &["-subj", "/CN=x", "-addext", NAMES]);
    let summary = agrees_with_openssl(folder.path(), &certificate);
    let bare: Vec<_> = summary.alternative_names.iter().map(AlternativeName::bare).collect();
    let expected =
        ["example.com", "*.example.org", "192.0.2.7", "2001:db8::7", "a@example.com", "https://example.com/"];
    assert_eq!(bare, expected);
    let typed: Vec<_> = summary.alternative_names.iter().map(AlternativeName::typed).collect();
    assert_eq!(typed[..3], ["DNS: 'example.com'", "DNS: '*.example.org'", "IP: '192.0.2.7'"]);
}

#[test]
fn signature_algorithms_of_others_have_their_jca_names() {
    let folder = folder_with_keys();
    let rows: [(&str, &[&str], &str); 13] = [
        ("rsa", &["-md5"], "MD5withRSA"),
        ("rsa", &["-sha1"], "SHA1withRSA"),
        ("rsa", &["-sha224"], "SHA224withRSA"),
        ("rsa", &["-sha512"], "SHA512withRSA"),
        ("rsa", &["-sha1", "-sigopt", "rsa_padding_mode:pss"], "SHA1withRSAandMGF1"),
        ("rsa", &["-sha224", "-sigopt", "rsa_padding_mode:pss"], "SHA224withRSAandMGF1"),
        ("rsa", &["-sha256", "-sigopt", "rsa_padding_mode:pss"], "SHA256withRSAandMGF1"),
        ("rsa", &["-sha512", "-sigopt", "rsa_padding_mode:pss"], "SHA512withRSAandMGF1"),
        ("ec", &["-sha1"], "SHA1withECDSA"),
        ("ec", &["-sha224"], "SHA224withECDSA"),
        ("ec", &["-sha384"], "SHA384withECDSA"),
        ("ec", &["-sha3-256"], "2.16.840.1.101.3.4.3.10"),
        ("ed448", &[], "Ed448"),
    ];
    for (key, options, name) in rows {
        let certificate = foreign(folder.path(), key, &[&["-subj", "/CN=x"], options].concat());
        assert_eq!(CertificateSummary::of(&certificate).unwrap().signature_algorithm, name);
    }
}

#[test]
fn certificates_of_version_1_are_read() {
    let folder = folder_with_keys();
    std::fs::write(folder.path().join("config"), CONFIG).unwrap();
    openssl(folder.path(), &["req", "-new", "-config", "config", "-key", "ec", "-subj", "/CN=old", "-out", "csr"]);
    openssl(folder.path(), &["x509", "-req", "-in", "csr", "-signkey", "ec", "-outform", "DER", "-out", "der"]);
    let certificate = CertificateDer::parse(std::fs::read(folder.path().join("der")).unwrap()).unwrap();
    assert_eq!(agrees_with_openssl(folder.path(), &certificate).version, 1);
}

#[test]
fn certificates_whose_alternative_names_cannot_be_read_keep_the_rest() {
    let folder = folder_with_keys();
    let whole = foreign(folder.path(), "ec", &["-subj", "/CN=x"]);
    check_readable(&[whole.clone(), whole.clone()]).unwrap();
    let value = "subjectAltName=DER:04:0d:30:0b:82:09:61:2e:65:78:61:6d:70:6c:65";
    let odd = foreign(folder.path(), "ec", &["-subj", "/CN=x", "-addext", value]);
    let why = CertificateSummary::of(&odd).unwrap_err();
    assert_eq!(check_readable(std::slice::from_ref(&odd)), Err(why));
    let why = check_readable(&[whole, odd.clone()]).unwrap_err().to_string();
    assert!(why.contains("issuer 1 of the chain: subjectAltName"), "{why}");
    let remains = CertificateSummary::remains(&odd).unwrap();
    assert_eq!((remains.subject.as_str(), remains.alternative_names.len()), ("CN=x", 0));
    let nothing = CertificateDer::from_stored(vec![0x30, 0x00]);
    assert!(CertificateSummary::remains(&nothing).is_err() && check_readable(&[nothing]).is_err());
}

#[test]
fn hostile_bytes_never_panic() {
    let folder = folder_with_keys();
    let good =
        foreign(folder.path(), "rsa", &["-subj", "/C=US/CN=x", "-addext", NAMES, "-sigopt", "rsa_padding_mode:pss"]);
    let spki = openssl(folder.path(), &["pkey", "-in", "ec", "-pubout", "-outform", "DER", "-out", "spki"]);
    assert_eq!(spki, "");
    let spki = std::fs::read(folder.path().join("spki")).unwrap();
    let mut read = 0;
    for index in 0..good.as_bytes().len() {
        for value in [0x00, 0x01, 0x04, 0x30, 0x7f, 0x80, 0xa3, 0xff] {
            let mut bytes = good.as_bytes().to_vec();
            bytes[index] = value;
            if let Ok(certificate) = CertificateDer::parse(bytes) {
                read += usize::from(CertificateSummary::of(&certificate).is_ok());
            }
        }
    }
    assert!(read > 1000, "most changes leave a certificate: {read}");
    for index in 0..spki.len() {
        let mut bytes = spki.clone();
        bytes[index] ^= 0xff;
        let Ok(changed) = SpkiDer::parse(bytes) else { continue };
        for algorithm in SignatureAlgorithm::all() {
            assert!(verify_encoded(&changed, algorithm, b"message", &[0x30, 0x06, 2, 1, 1, 2, 1, 1]).is_err());
        }
    }
}

proptest! {
    #[test]
    fn decimal_serials_match_long_division(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let positive = [vec![0], bytes.clone()].concat();
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        prop_assert_eq!(decimal(&positive), naive_decimal(&hex));
    }

    #[test]
    fn decimals_are_those_of_machine_integers(integer in any::<i128>(), extension in 0_usize..4) {
        let sign = if integer < 0 { 0xff } else { 0 };
        let bytes = [vec![sign; extension], integer.to_be_bytes().to_vec()].concat();
        prop_assert_eq!(decimal(&bytes), integer.to_string());
    }
}

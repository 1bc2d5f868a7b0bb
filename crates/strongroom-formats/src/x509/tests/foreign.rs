//! Certificates that RFC 5280 allows and this daemon does not make: read, or refused with the true reason.

use super::forged::{Forged, PRINTABLE, UNIVERSAL, UTF8, authority, common_name, key, name, spki};
use super::openssl;
use crate::x509::tlv::{BIT_STRING, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, UTC_TIME, encode};
use crate::x509::{
    CertificateSummary, KeyFacts, RequestInfo, certificates, check_ca, check_interoperable, check_readable,
    check_trust, is_for_key, is_issued_by, one_line_subject,
};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{CertificateDer, SignatureAlgorithm, SpkiDer};

fn readable(certificate: &CertificateDer) -> CertificateSummary {
    check_readable(std::slice::from_ref(certificate)).unwrap();
    CertificateSummary::of(certificate).unwrap()
}

#[test]
fn times_are_those_of_their_type_before_1970_and_after_2049() {
    let key = key();
    let plain = Forged::new(&key, &common_name("x"));
    for (time, read) in [
        ((UTC_TIME, "500101000000Z"), "1950-01-01T00:00:00.000Z"),
        ((UTC_TIME, "691231235959Z"), "1969-12-31T23:59:59.000Z"),
        ((UTC_TIME, "491231235959Z"), "2049-12-31T23:59:59.000Z"),
        ((GENERALIZED_TIME, "19010203040506Z"), "1901-02-03T04:05:06.000Z"),
        ((GENERALIZED_TIME, "99991231235959Z"), "9999-12-31T23:59:59.000Z"),
    ] {
        let forged = Forged { not_before: time, not_after: time, ..plain.clone() }.sign(&key);
        let summary = readable(&forged);
        assert_eq!((summary.not_before.to_string(), summary.not_after.to_string()), (read.to_owned(), read.to_owned()));
    }
    for time in ["250229000000Z", "2501010000Z", "250101000000+0100", "25010100000aZ", "250101000060Z", ""] {
        let forged = Forged { not_before: (UTC_TIME, time), ..plain.clone() }.sign(&key);
        let why = check_readable(&[forged]).unwrap_err().to_string();
        assert!(why.contains("notBefore") && why.contains("RFC 5280"), "{why}");
    }
}

#[test]
fn serial_numbers_are_read_and_kept_from_verifiers_that_stumble_over_them() {
    let key = key();
    let with = |serial: &[u8]| Forged { serial: serial.to_vec(), ..Forged::new(&key, &common_name("x")) }.sign(&key);
    for (serial, decimal, oddity) in [
        (&[1][..], "1", None),
        (&[0x7f; 20], "727885129180488904360266563744972327436484050815", None),
        (&[0], "0", Some("CN=x: its serial number is zero")),
        (&[0xff], "-1", Some("negative")),
        (&[0x80, 0], "-32768", Some("negative")),
        (&[0x7f; 21], "", Some("more than 20 octets")),
        (&[0x7f; 255], "", Some("more than 20 octets")),
    ] {
        let certificate = with(serial);
        let summary = readable(&certificate);
        assert!(decimal.is_empty() || summary.serial_number == decimal, "{}", summary.serial_number);
        let why = check_interoperable(&[certificate]).err().map(|why| why.to_string());
        assert_eq!(why.is_some(), oddity.is_some(), "{why:?}");
        assert!(why.unwrap_or_default().contains(oddity.unwrap_or_default()));
    }
    let why = check_readable(&[with(&[0x7f; 256])]).unwrap_err().to_string();
    assert!(why.contains("serialNumber has 256 octets, at most 255"), "{why}");
}

#[test]
fn path_lengths_have_no_bound() {
    let key = key();
    for length in [&[0][..], &[0x7f], &[0x03, 0xe8], &[0x7f, 0xff, 0xff, 0xff], &[0x7f; 40]] {
        let extensions = vec![authority(length)];
        let root = Forged { extensions, ..Forged::new(&key, &common_name("root")) }.sign(&key);
        readable(&root);
        check_ca(&root).unwrap();
        let leaf = Forged { subject: common_name("leaf"), ..Forged::new(&key, &common_name("root")) }.sign(&key);
        assert_eq!(check_trust(&[leaf], &[root], Timestamp::from_micros(1_800_000_000_000_000)), Ok(()));
    }
    let extensions = vec![authority(&[0xff])];
    let negative = Forged { extensions, ..Forged::new(&key, &common_name("root")) }.sign(&key);
    assert!(check_ca(&negative).unwrap_err().to_string().contains("basicConstraints"));
}

#[test]
fn names_of_any_string_type_are_read_and_asked_for_again() {
    let key = key();
    let universal: Vec<u8> = "Zoë 🔑".chars().flat_map(|each| u32::from(each).to_be_bytes()).collect();
    let odd = name(&[(10, UNIVERSAL, &universal), (3, PRINTABLE, b"x")]);
    let certificate = Forged::new(&key, &odd).sign(&key);
    assert_eq!(readable(&certificate).subject, "CN=x, O=Zoë 🔑");
    assert_eq!(one_line_subject(&certificate).unwrap(), "/O=Zoë 🔑/CN=x");
    assert!(is_issued_by(&certificate, &certificate));
    let spki = SpkiDer::parse(spki(&key)).unwrap();
    let request = RequestInfo::for_certificate(&certificate, &spki, SignatureAlgorithm::ECDSA_SHA256).unwrap();
    assert!(request.bytes().windows(odd.len()).any(|bytes| bytes == odd));
}

#[test]
fn names_are_equal_by_rfc_5280_whatever_their_strings() {
    let (key, other) = (key(), key());
    let written = name(&[(6, PRINTABLE, b"AT"), (3, UTF8, "Größe  Root CA ".as_bytes())]);
    let root = Forged::new(&key, &written).sign(&key);
    let universal: Vec<u8> = "GRÖSSE root ca".chars().flat_map(|each| u32::from(each).to_be_bytes()).collect();
    let bmp: Vec<u8> = "größe ROOT ca".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (equal, issuer) in [
        (true, name(&[(6, UTF8, b"at"), (3, UTF8, "GRÖSSE ROOT CA".as_bytes())])),
        (true, name(&[(6, UTF8, b"AT"), (3, UNIVERSAL, &universal)])),
        (true, name(&[(6, UTF8, b"AT"), (3, 0x1e, &bmp)])),
        (false, name(&[(6, UTF8, b"DE"), (3, UTF8, "Größe Root CA".as_bytes())])),
        (false, name(&[(6, UTF8, b"AT"), (3, UTF8, "GrößeRoot CA".as_bytes())])),
        (false, name(&[(3, UTF8, "Größe Root CA".as_bytes()), (6, UTF8, b"AT")])),
    ] {
        let leaf = Forged { issuer, ..Forged::new(&other, &common_name("leaf")) }.sign(&key);
        assert_eq!(is_issued_by(&leaf, &root), equal, "{}", readable(&leaf).issuer);
    }
}

#[test]
fn attributes_have_the_names_that_java_and_openssl_give_them() {
    let folder = tempfile::tempdir().unwrap();
    let subject = "/DC=com/DC=corp/street=Am Weg 1/UID=u1/serialNumber=7/title=Dr/GN=Zoe/SN=Doe/initials=ZD\
                   /generationQualifier=II/dnQualifier=q/emailAddress=z@example.com/CN=Corp-CA";
    let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key"];
    openssl(folder.path(), &[&key[..], &["-subj", subject, "-out", "pem"]].concat());
    let certificate = certificates(&std::fs::read(folder.path().join("pem")).unwrap()).unwrap().remove(0);
    let expected = "CN=Corp-CA, EMAILADDRESS=z@example.com, DNQ=q, GENERATION=II, INITIALS=ZD, SURNAME=Doe, \
                    GIVENNAME=Zoe, T=Dr, SERIALNUMBER=7, UID=u1, STREET=Am Weg 1, DC=corp, DC=com";
    assert_eq!(readable(&certificate).subject, expected);
    assert_eq!(one_line_subject(&certificate).unwrap(), subject);
}

/// `SubjectPublicKeyInfo` of an algorithm and the bytes of a key.
fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    encode(SEQUENCE, &[encode(SEQUENCE, algorithm), encode(BIT_STRING, &[&[0], key].concat())].concat())
}

#[test]
fn keys_are_known_in_every_form_that_they_can_have() {
    let signer = key();
    let usual = spki(&signer);
    let point = &usual[usual.len() - 64..];
    let algorithm = [
        &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01][..],
        &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    ]
    .concat();
    let compressed = info(&algorithm, &[&[2 | (point[63] & 1)], &point[..32]].concat());
    let other = info(&algorithm, &[&[3 ^ (point[63] & 1)], &point[..32]].concat());
    let with = |spki: &[u8]| Forged { spki: spki.to_vec(), ..Forged::new(&signer, &common_name("x")) }.sign(&signer);
    let own = SpkiDer::parse(usual.clone()).unwrap();
    assert!(is_for_key(&with(&usual), &own) && is_for_key(&with(&compressed), &own));
    assert!(!is_for_key(&with(&other), &own) && !is_for_key(&with(&spki(&key())), &own));
    assert!(is_issued_by(&with(&compressed), &with(&compressed)), "signatures by a compressed point verify");
    assert_eq!(KeyFacts::of(&with(&compressed)).unwrap(), KeyFacts { algorithm: "EC".to_owned(), bits: Some(256) });
    assert!(check_interoperable(&[with(&compressed)]).unwrap_err().to_string().contains("compressed"));

    let modulus = [&[0][..], &[0xc5; 256]].concat();
    let numbers = encode(SEQUENCE, &[encode(INTEGER, &modulus), encode(INTEGER, &[1, 0, 1])].concat());
    let rsa = |last: u8, parameters: &[u8]| {
        let id = encode(OBJECT_IDENTIFIER, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last]);
        info(&[&id, parameters].concat(), &numbers)
    };
    let own = SpkiDer::parse(rsa(1, &[5, 0])).unwrap();
    for (form, name, oddity) in [
        (rsa(1, &[5, 0]), "RSA", None),
        (rsa(1, &[]), "RSA", Some("NULL")),
        (rsa(10, &[]), "RSASSA-PSS", Some("RSASSA-PSS")),
    ] {
        let certificate = with(&form);
        readable(&certificate);
        assert!(is_for_key(&certificate, &own), "{name}");
        assert_eq!(KeyFacts::of(&certificate).unwrap(), KeyFacts { algorithm: name.to_owned(), bits: Some(2048) });
        let why = check_interoperable(&[certificate]).err().map(|why| why.to_string());
        assert!(why.is_some() == oddity.is_some() && why.unwrap_or_default().contains(oddity.unwrap_or_default()));
    }
}

#[test]
fn certificate_longer_than_any_is_refused_by_its_length() {
    let key = key();
    let long = "x".repeat(1 << 20);
    let started = std::time::Instant::now();
    let certificate = Forged::new(&key, &common_name(&long)).sign(&key);
    let why = certificates(certificate.as_bytes()).unwrap_err().to_string();
    assert!(why.contains("a certificate of 209") && why.contains("at most 131072"), "{why}");
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

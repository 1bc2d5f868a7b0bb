use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::openssl;
use crate::x509::issuance::{Issuance, issuance_of};
use crate::x509::{
    ChainError, ChainWanted, algorithm_of, certificates, chain_among, chain_for, is_issued_by, public_key,
};
use strongroom_domain::clock::{Clock, SystemClock};
use strongroom_domain::key::{CertificateDer, KeyAlgorithm, SpkiDer};

fn sh(at: &Path, command: &str) -> String {
    openssl(at, &command.split_whitespace().collect::<Vec<_>>())
}

fn file(at: &Path, name: &str) -> Vec<u8> {
    std::fs::read(at.join(name)).unwrap()
}

fn certificate(at: &Path, name: &str) -> CertificateDer {
    certificates(&file(at, &format!("{name}.pem"))).unwrap().remove(0)
}

/// `root`, `middle` and `leaf`, each issued by the one before, as PEM, with `leaf.key`.
fn hierarchy(digest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rsa = "-newkey rsa:2048 -nodes";
    sh(at, &format!("req -x509 {rsa} -{digest} -keyout root.key -out root.pem -subj /CN=root"));
    for (name, issuer) in [("middle", "root"), ("leaf", "middle")] {
        sh(at, &format!("req {rsa} -keyout {name}.key -out {name}.csr -subj /O=Room/CN={name}"));
        let by = format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial");
        sh(at, &format!("x509 -req -in {name}.csr -{digest} {by} -out {name}.pem"));
    }
    folder
}

fn wanted(spki: &SpkiDer) -> ChainWanted<'_> {
    ChainWanted { spki, leaf: None, now: SystemClock.now() }
}

fn chain_of(certificates: &[CertificateDer], spki: &SpkiDer) -> Result<Vec<CertificateDer>, ChainError> {
    chain_for(certificates.to_vec(), &wanted(spki)).map(|chain| chain.certificates)
}

#[test]
fn bundles_are_read_in_every_form_that_people_send() {
    let folder = hierarchy("sha256");
    let at = folder.path();
    let pem = String::from_utf8([file(at, "leaf.pem"), file(at, "middle.pem")].concat()).unwrap();
    let expected = [certificate(at, "leaf"), certificate(at, "middle")];
    std::fs::write(at.join("both.pem"), &pem).unwrap();
    sh(at, "crl2pkcs7 -nocrl -certfile both.pem -out p7.pem");
    sh(at, "crl2pkcs7 -nocrl -certfile both.pem -outform DER -out p7.der");
    let p7 = String::from_utf8(file(at, "p7.pem")).unwrap();
    let bare = |pem: &str| pem.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n");
    let forms = [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', ""),
        pem.replace('\n', "\\n"),
        pem.replace('\n', "\\r\\n"),
        STANDARD.encode(&pem),
        format!("subject=CN = leaf\n\n{pem}"),
        p7.clone(),
        p7.replace('\n', "\\n"),
        p7.replace("PKCS7", "CERTIFICATE"),
        p7.replace("PKCS7", "CMS"),
        bare(&p7),
        bare(&p7).replace('\n', ""),
        bare(&p7).replace('\n', "\\n"),
        STANDARD.encode(&p7),
        STANDARD.encode(file(at, "p7.der")),
    ];
    for form in forms {
        let mut found = certificates(form.as_bytes()).unwrap_or_else(|failure| panic!("{failure}: {form}"));
        found.sort_by_key(|certificate| *certificate != expected[0]);
        assert_eq!(found, expected, "{form}");
    }
    let der = certificates(&file(at, "p7.der")).unwrap();
    assert_eq!(der.len(), 2);
    let leaf = String::from_utf8(file(at, "leaf.pem")).unwrap();
    for form in [bare(&leaf), bare(&leaf).replace('\n', "\\n"), bare(&leaf).trim_end_matches('=').to_owned()] {
        assert_eq!(certificates(form.as_bytes()).unwrap(), expected[..1], "{form}");
    }
    assert_eq!(certificates(expected[0].as_bytes()).unwrap(), expected[..1]);
}

#[test]
fn what_is_no_bundle_is_refused_and_nothing_panics() {
    let folder = hierarchy("sha256");
    let at = folder.path();
    sh(at, "x509 -in leaf.pem -trustout -out trusted.pem");
    sh(at, "crl2pkcs7 -nocrl -out empty.p7");
    std::fs::write(at.join("many.pem"), file(at, "leaf.pem").repeat(33)).unwrap();
    for name in ["trusted.pem", "leaf.key", "leaf.csr", "empty.p7", "many.pem"] {
        assert!(certificates(&file(at, name)).is_err(), "{name}");
    }
    for nothing in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----", &[0x30, 0x80], b"\xff\xff"] {
        assert!(certificates(nothing).is_err(), "{nothing:?}");
    }
    sh(at, "crl2pkcs7 -nocrl -certfile leaf.pem -outform DER -out p7.der");
    for whole in [file(at, "p7.der"), file(at, "leaf.pem")] {
        for length in 0..whole.len() - 1 {
            assert!(certificates(&whole[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn chain_is_put_in_order_without_duplicates() {
    for digest in ["sha1", "sha256", "sha384", "sha512"] {
        let folder = hierarchy(digest);
        let at = folder.path();
        let [root, middle, leaf] = ["root", "middle", "leaf"].map(|name| certificate(at, name));
        let key = public_key(&leaf).unwrap();
        let chain = |certificates: &[&CertificateDer]| {
            chain_of(&certificates.iter().map(|certificate| (*certificate).clone()).collect::<Vec<_>>(), &key)
        };
        let whole = [leaf.clone(), middle.clone(), root.clone()];
        assert_eq!(chain(&[&root, &leaf, &middle, &leaf, &root]).unwrap(), whole, "{digest}");
        assert_eq!(chain(&[&middle, &leaf]).unwrap(), whole[..2], "an unknown root is no gap");
        assert_eq!(chain(&[&leaf]).unwrap(), whole[..1]);

        let gap = chain(&[&leaf, &root]).unwrap_err().to_string();
        assert!(gap.contains("gap") && gap.contains("CN=middle") && gap.contains("CN=root"), "{gap}");
        let none = chain(&[&middle, &root]).unwrap_err().to_string();
        assert!(none.contains("public keys differ"), "{none}");
        assert!(chain(&[]).is_err());
    }
}

#[test]
fn certificates_that_lead_nowhere_are_named() {
    let (ours, theirs) = (hierarchy("sha256"), hierarchy("sha256"));
    let [root, middle, leaf] = ["root", "middle", "leaf"].map(|name| certificate(ours.path(), name));
    let (stranger, impostor) = (certificate(theirs.path(), "leaf"), certificate(theirs.path(), "middle"));
    let key = public_key(&leaf).unwrap();
    let failure = chain_of(&[leaf.clone(), middle, root, stranger], &key).unwrap_err().to_string();
    assert!(failure.contains("not part of the chain: CN=leaf, O=Room"), "{failure}");
    // The same name, another key.
    assert!(!is_issued_by(&leaf, &impostor));
    let failure = chain_of(&[leaf, impostor], &key).unwrap_err().to_string();
    assert!(failure.contains("was not signed by the key of the CN=middle, O=Room that is there"), "{failure}");
}

#[test]
fn chain_is_found_among_certificates_that_have_nothing_to_do_with_it() {
    let (ours, theirs) = (hierarchy("sha256"), hierarchy("sha256"));
    let [root, middle, leaf] = ["root", "middle", "leaf"].map(|name| certificate(ours.path(), name));
    let [other_root, stranger] = ["root", "leaf"].map(|name| certificate(theirs.path(), name));
    let key = public_key(&leaf).unwrap();
    let among = |certificates: &[&CertificateDer]| {
        let certificates = certificates.iter().map(|certificate| (*certificate).clone()).collect();
        chain_among(certificates, &wanted(&key)).map(|chain| chain.certificates)
    };
    let whole = [leaf.clone(), middle.clone(), root.clone()];
    assert_eq!(among(&[&other_root, &root, &stranger, &leaf, &middle]).unwrap(), whole);
    assert_eq!(among(&[&leaf, &stranger]).unwrap(), whole[..1], "no issuer of anything");
    assert_eq!(among(&[&stranger, &leaf, &middle]).unwrap(), whole[..2]);
    let gap = among(&[&leaf, &stranger, &root]).unwrap_err().to_string();
    assert!(gap.contains("the issuer CN=middle"), "{gap}");
    assert!(among(&[&stranger, &middle, &root]).is_err(), "no leaf");
}

#[test]
fn issuers_of_every_algorithm_are_recognised() {
    let rows = [
        ("RSA -pkeyopt rsa_keygen_bits:2048", "-sha256", Some(KeyAlgorithm::RSA_2048)),
        (
            "RSA -pkeyopt rsa_keygen_bits:3072",
            "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1 -sha384",
            Some(KeyAlgorithm::RSA_3072),
        ),
        ("EC -pkeyopt ec_paramgen_curve:P-256", "-sha512", Some(KeyAlgorithm::P256)),
        ("EC -pkeyopt ec_paramgen_curve:P-384", "-sha384", Some(KeyAlgorithm::P384)),
        ("EC -pkeyopt ec_paramgen_curve:P-521", "-sha256", Some(KeyAlgorithm::P521)),
        ("ED25519", "", Some(KeyAlgorithm::ED25519)),
    ];
    for (key, options, algorithm) in rows {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        sh(at, &format!("genpkey -algorithm {key} -out ca.key"));
        sh(at, &format!("req -x509 -new -key ca.key {options} -subj /CN=ca -out ca.pem"));
        let ca = certificate(at, "ca");
        assert!(is_issued_by(&ca, &ca), "{key}");
        assert_eq!(algorithm_of(&public_key(&ca).unwrap()), algorithm, "{key}");
    }
    for (key, unverified) in [
        ("EC -pkeyopt ec_paramgen_curve:secp256k1", None),
        ("EC -pkeyopt ec_paramgen_curve:brainpoolP384r1", Some("ECDSA on the curve brainpoolP384r1")),
        ("ED448", Some("Ed448")),
        ("RSA -pkeyopt rsa_keygen_bits:1024", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        sh(at, &format!("genpkey -algorithm {key} -out ca.key"));
        sh(at, "req -x509 -new -key ca.key -subj /CN=ca -out ca.pem");
        let ca = certificate(at, "ca");
        let expected = unverified.map_or(Issuance::Verified, |what| Issuance::Unverified(what.to_owned()));
        assert_eq!(issuance_of(&ca, &ca), expected, "{key}");
        assert_eq!(algorithm_of(&public_key(&ca).unwrap()), None, "{key}");
    }
}

#[test]
fn public_key_is_the_one_that_openssl_shows() {
    let folder = hierarchy("sha256");
    let at = folder.path();
    sh(at, "pkey -in leaf.key -pubout -outform DER -out leaf.spki");
    assert_eq!(public_key(&certificate(at, "leaf")).unwrap(), SpkiDer::parse(file(at, "leaf.spki")).unwrap());
}

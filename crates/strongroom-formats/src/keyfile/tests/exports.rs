use proptest::prelude::*;

use super::*;
use crate::keyfile::{Pkcs12Mac, to_pem, to_pkcs12};

/// A key file of openssl's: key, leaf and issuer.
fn key_file(at: &Path) -> KeyFile {
    let pem = [file(at, "key.pem"), file(at, "leaf.pem"), file(at, "ca.pem")].concat();
    read(&pem, Some(KeyFileFormat::Pem), &password()).unwrap()
}

#[test]
fn exported_pkcs12_is_read_by_openssl_and_keytool() {
    for (algorithm, _) in KEYS {
        let folder = folder(algorithm);
        let at = folder.path();
        let key = key_file(at);
        let p12 = to_pkcs12(&key.pkcs8, &key.certificates, &password(), Pkcs12Mac::Pkcs12Kdf).unwrap();
        std::fs::write(at.join("out.p12"), &p12).unwrap();

        openssl(at, "pkcs12 -in out.p12 -passin file:pw -nodes -nocerts -out out.key");
        assert_eq!(openssl(at, "pkey -in out.key -pubout -outform DER"), key.spki.as_bytes(), "{algorithm}");
        openssl(at, "pkcs12 -in out.p12 -passin file:pw -nokeys -clcerts -out out.leaf");
        assert_eq!(openssl(at, "x509 -in out.leaf -outform DER"), key.certificates[0].as_bytes(), "{algorithm}");
        openssl(at, "pkcs12 -in out.p12 -passin file:pw -nokeys -cacerts -out out.ca");
        assert_eq!(openssl(at, "x509 -in out.ca -outform DER"), key.certificates[1].as_bytes(), "{algorithm}");

        if [KeyAlgorithm::RSA_2048, KeyAlgorithm::P256, KeyAlgorithm::ED25519].contains(&algorithm) {
            keytool_reads(at, algorithm);
        }

        let again = read(&p12, Some(KeyFileFormat::Pkcs12), &password()).unwrap();
        assert_eq!(again.pkcs8.expose(), key.pkcs8.expose());
        assert_eq!(again.certificates, key.certificates);
        let wrong = Secret::new(b"wrong".to_vec());
        assert_eq!(read(&p12, None, &wrong).unwrap_err(), KeyFileError::WrongPassword);
    }
}

/// Lists `out.p12` with its chain, and has its key copied, which only proves that it opens.
fn keytool_reads(at: &Path, algorithm: KeyAlgorithm) {
    let list = "-list -v -keystore out.p12 -storetype PKCS12 -storepass:file pw";
    let listed = run(at, "keytool", &list.split_whitespace().collect::<Vec<_>>());
    let listed = String::from_utf8_lossy(&listed);
    assert!(listed.contains("Entry type: PrivateKeyEntry"), "{algorithm}: {listed}");
    assert!(listed.contains("Certificate chain length: 2"), "{algorithm}: {listed}");
    let copy =
        "-importkeystore -srckeystore out.p12 -srcstorepass:file pw -destkeystore copy.p12 -deststorepass:file pw";
    run(at, "keytool", &copy.split_whitespace().collect::<Vec<_>>());
    assert_is_key(&read(&file(at, "copy.p12"), None, &password()), at, algorithm, "copied by keytool");
}

#[test]
fn exported_pem_is_read_by_openssl_and_says_pbes2_with_aes() {
    for (algorithm, _) in KEYS {
        let folder = folder(algorithm);
        let at = folder.path();
        let key = key_file(at);
        let pem = to_pem(&key.pkcs8, &key.certificates, &password()).unwrap();
        std::fs::write(at.join("out.pem"), &pem).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{pem}");
        assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 2);

        let public = openssl(at, "pkey -in out.pem -passin file:pw -pubout -outform DER");
        assert_eq!(public, key.spki.as_bytes(), "{algorithm}");
        let parsed = String::from_utf8(openssl(at, "asn1parse -in out.pem")).unwrap();
        for part in [":PBES2", ":PBKDF2", ":hmacWithSHA256", ":aes-256-cbc", ":030D40"] {
            assert!(parsed.contains(part), "{part}: {parsed}");
        }
        let again = read(pem.as_bytes(), None, &password()).unwrap();
        assert_eq!(again.pkcs8.expose(), key.pkcs8.expose());
        assert_eq!(again.certificates, key.certificates);
    }
}

#[test]
fn no_two_exports_are_alike_and_none_shows_the_key() {
    let folder = folder(KeyAlgorithm::P256);
    let key = key_file(folder.path());
    let p12 = || to_pkcs12(&key.pkcs8, &[], &password(), Pkcs12Mac::Pkcs12Kdf).unwrap();
    let (first, second) = (p12(), p12());
    assert_ne!(first, second);
    let secret = &key.pkcs8.expose()[36..68];
    assert!(!first.windows(32).any(|bytes| bytes == secret));
    assert!(read(&first, None, &password()).unwrap().certificates.is_empty());
    assert!(!format!("{key:?}").contains(&format!("{:?}", &secret[..4])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn exports_open_with_their_password(password in "\\PC{1,20}") {
        let folder = folder(KeyAlgorithm::P256);
        let key = key_file(folder.path());
        let password = Secret::new(password.into_bytes());
        let p12 = to_pkcs12(&key.pkcs8, &key.certificates, &password, Pkcs12Mac::Pbmac1).unwrap();
        let pem = to_pem(&key.pkcs8, &key.certificates, &password).unwrap();
        for data in [p12, pem.into_bytes()] {
            let again = read(&data, None, &password).unwrap();
            prop_assert_eq!(again.pkcs8.expose(), key.pkcs8.expose());
        }
    }
}

//! Whom certificates are about.

use super::*;

#[tokio::test]
async fn certificate_without_alternative_names_has_no_such_extension() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let spec = bare();
    let certificate = certificate(&key, &spec, SignatureAlgorithm::ECDSA_SHA256).await;
    openssl_verifies(&certificate, "any");
    assert!(!openssl(&["x509", "-noout", "-text"], &certificate).contains("Alternative"));
}

#[tokio::test]
async fn subject_is_encoded_from_country_to_common_name() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let certificate = certificate(&key, &spec(CertificateProfile::Signing), SignatureAlgorithm::ECDSA_SHA256).await;
    let encoded =
        openssl(&["x509", "-noout", "-subject", "-nameopt", "sname,utf8,sep_multiline,show_type"], &certificate);
    let lines: Vec<&str> = encoded.lines().map(str::trim).collect();
    let expected = [
        "subject=",
        "C=PRINTABLESTRING:US",
        "ST=UTF8STRING:Texas",
        "L=UTF8STRING:Austin",
        "O=UTF8STRING:Strong & Room",
        "OU=UTF8STRING:Keys",
        "CN=UTF8STRING:Example, Inc. + \"Söhne\"",
    ];
    assert_eq!(lines, expected);
    let summary = CertificateSummary::of(&certificate).unwrap();
    let subject = r#"CN=Example\, Inc. \+ \"Söhne\", OU=Keys, O=Strong & Room, L=Austin, ST=Texas, C=US"#;
    assert_eq!((summary.subject.as_str(), summary.issuer.as_str()), (subject, subject));
    assert_eq!(summary.alternative_names, alternative_names());
    assert_eq!(summary.version, 3);
}

#[tokio::test]
async fn names_of_another_certificate_are_kept_as_they_are_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let subject = "/DC=org/DC=example/serialNumber=7/CN=old+UID=u1/title=Sm\u{f8}rg\u{e5}s";
    let names = "subjectAltName=critical,DNS:example.org,dirName:elsewhere,RID:1.2.3.4,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b";
    let configuration =
        "[req]\ndistinguished_name = dn\nstring_mask = pkix\nutf8 = yes\n[dn]\n[elsewhere]\nC = DE\nO = Old\n";
    std::fs::write(folder.path().join("cnf"), configuration).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key"])
        .args(["-config", "cnf", "-utf8", "-multivalue-rdn", "-subj", subject, "-addext", names])
        .args(["-outform", "DER", "-out", "old"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let old = CertificateDer::parse(std::fs::read(folder.path().join("old")).unwrap()).unwrap();

    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let spec = CertificateSpec { names: CertificateNames::Of(old.clone()), ..spec(CertificateProfile::Signing) };
    let new = certificate(&key, &spec, SignatureAlgorithm::ECDSA_SHA256).await;
    openssl_verifies(&new, "any");
    let says = |certificate| {
        openssl(
            &[
                "x509",
                "-noout",
                "-subject",
                "-issuer",
                "-ext",
                "subjectAltName",
                "-nameopt",
                "sname,show_type,dump_all",
            ],
            certificate,
        )
    };
    assert_eq!(says(&new), says(&old));
    assert!(says(&new).contains("critical"), "{}", says(&new));
}

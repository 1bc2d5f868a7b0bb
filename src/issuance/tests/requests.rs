use super::*;
use crate::issuance::prepare_request;
use strongroom_formats::x509::{RequestInfo, request_to_pem};

/// A request for what `certificate` says, signed by `key`, to the public half of `named`.
async fn request(
    certificate: &CertificateDer,
    algorithm: SignatureAlgorithm,
    key: &SoftwareKey,
    named: &SpkiDer,
) -> Result<Vec<u8>, Error> {
    let prepared = prepare_request(certificate, named, algorithm)?;
    let signature = key.sign_tbs(algorithm, prepared.message()).await?;
    prepared.signed(&signature)
}

/// What openssl says about a request.
fn req(request: &[u8], arguments: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), request_to_pem(request)).unwrap();
    let arguments = [&["req", "-noout", "-in", file.path().to_str().unwrap()], arguments].concat();
    let output =
        Command::new("openssl").args(&arguments).output().expect("openssl is missing: apt-get install openssl");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    said
}

#[tokio::test]
async fn request_of_every_key_and_signature_algorithm_is_verified_by_openssl() {
    for algorithm in KeyAlgorithm::all() {
        let key = SoftwareKey::generate(algorithm);
        let certificate =
            certificate(&key, &spec(CertificateProfile::TlsServer), algorithm.default_signature_algorithm()).await;
        for signature_algorithm in algorithm.signature_algorithms() {
            let request = request(&certificate, signature_algorithm, &key, &key.spki).await.unwrap();
            assert!(req(&request, &["-verify"]).contains("verify OK"), "{signature_algorithm}");
        }
        let signatures = key.signatures.into_inner();
        assert_eq!(signatures, algorithm.signature_algorithms().len() + 1, "one signature each");
    }
}

#[tokio::test]
async fn request_says_what_the_certificate_says() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let algorithm = SignatureAlgorithm::ECDSA_SHA256;
    let certificate = certificate(&key, &spec(CertificateProfile::TlsServer), algorithm).await;
    let request = request(&certificate, algorithm, &key, &key.spki).await.unwrap();
    assert!(request_to_pem(&request).starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    let subject = req(&request, &["-subject", "-nameopt", "RFC2253,utf8,-esc_msb"]);
    let expected = r#"subject=CN=Example\, Inc. \+ \"Söhne\",OU=Keys,O=Strong & Room,L=Austin,ST=Texas,C=US"#;
    assert_eq!(subject.trim(), expected);
    let text = req(&request, &["-text"]);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let after = |title: &str| lines.iter().position(|line| *line == title).map(|index| lines[index + 1]);
    let names = "DNS:example.com, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, \
                 email:ops@example.com, URI:https://example.com/a";
    assert_eq!(after("X509v3 Subject Alternative Name:"), Some(names));
    assert_eq!(text.matches("X509v3").count(), 1, "no other extension: {text}");
}

#[tokio::test]
async fn request_without_alternative_names_has_no_attributes() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256);
    let algorithm = SignatureAlgorithm::ECDSA_SHA256;
    let spec = bare();
    let certificate = certificate(&key, &spec, algorithm).await;
    let request = request(&certificate, algorithm, &key, &key.spki).await.unwrap();
    let text = req(&request, &["-text", "-verify"]);
    assert!(text.contains("Attributes:\n            (none)"), "{text}");
}

#[tokio::test]
async fn request_signed_by_another_key_is_not_given_out() {
    let (key, other) = (SoftwareKey::generate(KeyAlgorithm::P256), SoftwareKey::generate(KeyAlgorithm::P256));
    let algorithm = SignatureAlgorithm::ECDSA_SHA256;
    let certificate = certificate(&key, &spec(CertificateProfile::Signing), algorithm).await;
    let refused = request(&certificate, algorithm, &other, &key.spki).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.public()),
        (ErrorKind::ProviderUnavailable, "the crypto provider is unavailable")
    );
    let of_another_algorithm = Signature::from_raw(SignatureAlgorithm::ECDSA_SHA384, vec![1; 64]);
    let info = RequestInfo::for_certificate(&certificate, &key.spki, algorithm).unwrap();
    assert!(info.assemble(&of_another_algorithm).is_err());
}

//! A SoftHSM token of one test, a provider over it, and an independent judge of signatures.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::Encode;
use der::asn1::UintRef;
use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, KeyRef, NewKey, SignInput};
use strongroom_domain::clock::{Clock, SystemClock};
use strongroom_domain::key::{
    HashAlgorithm, KeyAlgorithm, KeyFamily, KeyId, KeyUse, Locator, Signature, SignatureAlgorithm, SignatureScheme,
    StoreId,
};
use strongroom_token::{
    HostCommand, HostOptions, Initialised, PinSource, Profile, TokenAccess, TokenError, TokenOptions, TokenSelector,
    initialise_token,
};
use tempfile::TempDir;
use tokio::time::sleep;

pub const ES256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A SoftHSM installation of one test.
pub struct Bench {
    pub dir: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        assert!(Path::new(MODULE).exists(), "SoftHSM is missing: apt-get install softhsm2");
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { TempDir::new_in(shm) } else { TempDir::new() }.unwrap();
        fs::create_dir(dir.path().join("tokens")).unwrap();
        let bench = Self { dir };
        bench.write("so-pin", "12345678");
        bench.write("pin", "987654\n");
        let tokens = bench.path("tokens");
        bench.write("softhsm2.conf", &format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display()));
        bench
    }

    pub async fn with_token() -> Self {
        let bench = Self::new();
        assert!(matches!(bench.initialise("bench").await.unwrap(), Initialised::Now(_)));
        bench
    }

    pub async fn initialise(&self, label: &str) -> Result<Initialised, TokenError> {
        let (so_pin, pin) = (self.path("so-pin"), self.path("pin"));
        initialise_token(&host_command(), Path::new(MODULE), &self.environment(), label, &so_pin, &pin).await
    }

    pub fn options(&self) -> TokenOptions {
        TokenOptions {
            command: host_command(),
            token: TokenAccess {
                module: MODULE.into(),
                selector: TokenSelector::Label("bench".to_owned()),
                pin: PinSource::File(self.path("pin")),
                profile: Profile::Softhsm,
                environment: self.environment(),
            },
            hosts: HostOptions { login_timeout: Duration::from_secs(20), ..HostOptions::default() },
            state_dir: self.dir.path().to_owned(),
            pins: None,
        }
    }

    pub fn environment(&self) -> BTreeMap<String, String> {
        let file = self.path("softhsm2.conf").to_str().unwrap().to_owned();
        BTreeMap::from([("SOFTHSM2_CONF".to_owned(), file)])
    }

    /// Runs pkcs11-tool as the token's user: whether it succeeded, and all that it said.
    pub fn tool(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("pkcs11-tool")
            .args(["--module", MODULE, "--token-label", "bench", "--login", "--pin", "987654"])
            .args(arguments)
            .envs(self.environment())
            .output()
            .expect("pkcs11-tool is missing: apt-get install opensc");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_strongroom").into()
}

pub fn host_command() -> HostCommand {
    HostCommand::new(program()).arg("token-host")
}

pub async fn started(options: TokenOptions) -> Arc<Pkcs11Provider> {
    let hosts = if options.hosts.shared_host { 1 } else { options.hosts.signing_hosts + 1 };
    let provider = Pkcs11Provider::start(options);
    until("all hosts are ready", || provider.client().host_pids().len() == hosts).await;
    provider
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(40), "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub fn new_key(algorithm: KeyAlgorithm) -> (KeyId, NewKey) {
    let id = KeyId::new(SystemClock.now()).unwrap();
    let label = StoreId::new().unwrap().label(id);
    (
        id,
        NewKey {
            id,
            locator: Locator::new().unwrap(),
            label,
            algorithm,
            key_use: KeyUse::Sign,
            deadline: Instant::now() + Duration::from_secs(600),
        },
    )
}

pub async fn generated(provider: &Pkcs11Provider, algorithm: KeyAlgorithm) -> (KeyRef, NewKey) {
    let (id, key) = new_key(algorithm);
    let made = provider.generate(key.clone()).await.unwrap();
    assert_eq!(made.attestation, "local, always-sensitive, never-extractable, sign");
    (KeyRef { id, locator: key.locator.clone(), algorithm, spki: made.spki, sealed: None }, key)
}

pub fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

pub fn message(text: &str) -> SignInput {
    SignInput::Message(text.as_bytes().to_vec())
}

/// Verifies by the ASN.1 forms, which the product does not use.
pub fn verify(key: &KeyRef, signature: &Signature, message: &[u8]) {
    use SignatureScheme::{Ecdsa, EdDsa, RsaPkcs1, RsaPss};
    let algorithm: &'static dyn VerificationAlgorithm = match (signature.algorithm().scheme(), key.algorithm.bits()) {
        (RsaPkcs1(HashAlgorithm::Sha256), _) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RsaPkcs1(HashAlgorithm::Sha384), _) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RsaPkcs1(HashAlgorithm::Sha512), _) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (RsaPss(HashAlgorithm::Sha256), _) => &signature::RSA_PSS_2048_8192_SHA256,
        (RsaPss(HashAlgorithm::Sha384), _) => &signature::RSA_PSS_2048_8192_SHA384,
        (RsaPss(HashAlgorithm::Sha512), _) => &signature::RSA_PSS_2048_8192_SHA512,
        (Ecdsa(HashAlgorithm::Sha256), 256) => &signature::ECDSA_P256_SHA256_ASN1,
        (Ecdsa(HashAlgorithm::Sha384), 256) => &signature::ECDSA_P256_SHA384_ASN1,
        (Ecdsa(HashAlgorithm::Sha512), 256) => &signature::ECDSA_P256_SHA512_ASN1,
        (Ecdsa(HashAlgorithm::Sha256), 384) => &signature::ECDSA_P384_SHA256_ASN1,
        (Ecdsa(HashAlgorithm::Sha384), 384) => &signature::ECDSA_P384_SHA384_ASN1,
        (Ecdsa(HashAlgorithm::Sha512), 384) => &signature::ECDSA_P384_SHA512_ASN1,
        (Ecdsa(HashAlgorithm::Sha256), _) => &signature::ECDSA_P521_SHA256_ASN1,
        (Ecdsa(HashAlgorithm::Sha384), _) => &signature::ECDSA_P521_SHA384_ASN1,
        (Ecdsa(HashAlgorithm::Sha512), _) => &signature::ECDSA_P521_SHA512_ASN1,
        (EdDsa, _) => &signature::ED25519,
    };
    let mut bytes = signature.raw().to_vec();
    if key.algorithm.family() == KeyFamily::Ec {
        let (r, s) = bytes.split_at(bytes.len() / 2);
        bytes = EcdsaSignature { r: UintRef::new(r).unwrap(), s: UintRef::new(s).unwrap() }.to_der().unwrap();
    }
    UnparsedPublicKey::new(algorithm, key.spki.as_bytes())
        .verify(message, &bytes)
        .unwrap_or_else(|_| panic!("{} by {} does not verify", signature.algorithm(), key.algorithm));
}

#[derive(der::Sequence)]
pub struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

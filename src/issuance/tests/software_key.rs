//! Signers of certificates in this process.

use strongroom_domain::key::{EcCurve, KeyParameters, SignatureScheme};

use super::*;

/// A key in this process, which counts its signatures.
pub(super) struct SoftwareKey {
    pub(super) algorithm: KeyAlgorithm,
    private: Private,
    pub(super) spki: SpkiDer,
    pub(super) signatures: AtomicUsize,
}

enum Private {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static EcCurve),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Self {
        let private = match algorithm.parameters() {
            KeyParameters::Rsa(size) => Private::Rsa(RsaKeyPair::generate(size).unwrap()),
            KeyParameters::Ec(curve) => Private::Ec(EcdsaKeyPair::generate(curve.signing).unwrap(), curve),
            KeyParameters::EdDsa(_) => Private::Ed25519(Ed25519KeyPair::generate().unwrap()),
        };
        let spki = match &private {
            Private::Rsa(pair) => pair.public_key().as_der().unwrap(),
            Private::Ec(pair, _) => pair.public_key().as_der().unwrap(),
            Private::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        };
        let spki = SpkiDer::parse(spki.as_ref().to_vec()).unwrap();
        Self { algorithm, private, spki, signatures: AtomicUsize::new(0) }
    }

    pub(super) fn raw_signature(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
        match (&self.private, algorithm.scheme()) {
            (Private::Rsa(pair), _) => {
                let encoding = algorithm.rsa_encoding().unwrap();
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut bytes).unwrap();
                bytes
            }
            (Private::Ec(pair, curve), SignatureScheme::Ecdsa(hash)) => {
                // A curve has but one hash in aws-lc-rs. ECDSA takes a digest as an integer of its leftmost
                // bits, at most as many as the order has: so another hash's digest, cut or padded to the
                // length of that one's, is signed all the same (FIPS 186-5 section 6.4.1).
                let own = curve.hash;
                let mut digest = hash.digest(message);
                digest.truncate(own.output_len());
                let padded = [vec![0; own.output_len() - digest.len()], digest].concat();
                pair.sign_digest(&Digest::import_less_safe(&padded, own.implementation()).unwrap())
                    .unwrap()
                    .as_ref()
                    .to_vec()
            }
            (Private::Ed25519(pair), SignatureScheme::EdDsa) => pair.sign(message).as_ref().to_vec(),
            _ => panic!("{algorithm} with {}", self.algorithm),
        }
    }
}

#[async_trait]
impl TbsSigner for SoftwareKey {
    async fn sign_tbs(&self, algorithm: SignatureAlgorithm, tbs: &[u8]) -> Result<Signature, Error> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        Ok(Signature::from_raw(algorithm, self.raw_signature(algorithm, tbs)))
    }
}

/// A signer that is away.
pub(super) struct AwaySigner;

#[async_trait]
impl TbsSigner for AwaySigner {
    async fn sign_tbs(&self, _algorithm: SignatureAlgorithm, _tbs: &[u8]) -> Result<Signature, Error> {
        Err(Error::new(ErrorKind::ProviderUnavailable, "the crypto provider is unavailable"))
    }
}

//! Private keys in this process: made, read, used, and wiped when dropped.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};

use crate::provider::{ProviderError, SignInput};
use strongroom_domain::key::{HashAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use strongroom_domain::secret::Secret;

/// A private key, ready for use.
pub(super) enum SoftwareKey {
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A curve with the one hash that aws-lc-rs signs with by itself.
#[derive(Clone, Copy)]
pub(super) struct Curve {
    signing: &'static EcdsaSigningAlgorithm,
    digest: &'static digest::Algorithm,
}

impl SoftwareKey {
    /// Makes a key; slow for RSA.
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<Self, Unspecified> {
        Ok(match kind(algorithm) {
            SoftwareKeyType::Rsa(size) => Self::Rsa(RsaKeyPair::generate(size)?),
            SoftwareKeyType::Ec(curve) => Self::Ec(curve, EcdsaKeyPair::generate(curve.signing)?),
            SoftwareKeyType::Ed25519 => Self::Ed25519(Ed25519KeyPair::generate()?),
        })
    }

    /// Reads PKCS#8 (RFC 5958) that must be a key of `algorithm`; its public half is derived,
    /// not believed.
    pub(super) fn from_pkcs8(algorithm: KeyAlgorithm, pkcs8: &Secret) -> Result<Self, KeyRejected> {
        let bytes = pkcs8.expose();
        Ok(match kind(algorithm) {
            SoftwareKeyType::Rsa(_) => {
                let pair = RsaKeyPair::from_pkcs8(bytes)?;
                let bits = pair.public_key().modulus().big_endian_without_leading_zero().first().map_or(0, |first| {
                    pair.public_modulus_len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0)
                });
                if u32::try_from(bits) != Ok(algorithm.bits()) {
                    return Err(KeyRejected::from(Unspecified));
                }
                Self::Rsa(pair)
            }
            SoftwareKeyType::Ec(curve) => Self::Ec(curve, EcdsaKeyPair::from_pkcs8(curve.signing, bytes)?),
            SoftwareKeyType::Ed25519 => Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes)?),
        })
    }

    /// PKCS#8 version 1, which everybody reads.
    pub(super) fn to_pkcs8(&self) -> Result<Secret, Unspecified> {
        let document = match self {
            Self::Rsa(pair) => {
                return AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| Secret::new(der.as_ref().to_vec()));
            }
            Self::Ec(_, pair) => pair.to_pkcs8v1()?,
            Self::Ed25519(pair) => pair.to_pkcs8v1()?,
        };
        Ok(Secret::new(document.as_ref().to_vec()))
    }

    /// The SubjectPublicKeyInfo of the public half, in DER.
    pub(super) fn spki(&self) -> Result<Vec<u8>, Unspecified> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(pair) => pair.public_key().as_der()?,
            Self::Ec(_, pair) => pair.public_key().as_der()?,
            Self::Ed25519(pair) => pair.public_key().as_der()?,
        };
        Ok(der.as_ref().to_vec())
    }

    /// Signs, in the forms of PKCS#11.
    pub(super) fn sign(&self, algorithm: SignatureAlgorithm, input: &SignInput) -> Result<Vec<u8>, ProviderError> {
        let signature = match (self, algorithm) {
            (Self::Rsa(pair), SignatureAlgorithm::RsaPkcs1(hash) | SignatureAlgorithm::RsaPss(hash)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let (encoding, digest) = rsa_scheme(algorithm);
                let digest = imported(digest, &digest_of(hash, input)?)?;
                pair.sign_digest(encoding, &digest, &mut signature).map(|()| signature)
            }
            (Self::Ec(curve, pair), SignatureAlgorithm::Ecdsa(hash)) => {
                let digest = imported(curve.digest, &curve.fitted(&digest_of(hash, input)?))?;
                pair.sign_digest(&digest).map(|signature| signature.as_ref().to_vec())
            }
            (Self::Ed25519(pair), SignatureAlgorithm::Ed25519) => match input {
                SignInput::Message(message) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
                SignInput::Digest(_) => return Err(unsupported("Ed25519 signs messages, not digests")),
            },
            _ => return Err(unsupported("key and signature algorithm do not fit")),
        };
        signature.map_err(|Unspecified| ProviderError::Unavailable("the signature could not be made".to_owned()))
    }
}

impl Curve {
    /// The digest as the curve's own hash would have given it: ECDSA takes the leftmost bits,
    /// as many as the order has (FIPS 186-5 section 6.4.1), and reads them as a number, which
    /// zeros before it do not change.
    fn fitted(self, digest: &[u8]) -> Vec<u8> {
        let width = self.digest.output_len();
        let kept = digest.get(..width).unwrap_or(digest);
        let mut fitted = vec![0; width - kept.len()];
        fitted.extend_from_slice(kept);
        fitted
    }
}

enum SoftwareKeyType {
    Rsa(KeySize),
    Ec(Curve),
    Ed25519,
}

fn kind(algorithm: KeyAlgorithm) -> SoftwareKeyType {
    match algorithm {
        KeyAlgorithm::Rsa2048 => SoftwareKeyType::Rsa(KeySize::Rsa2048),
        KeyAlgorithm::Rsa3072 => SoftwareKeyType::Rsa(KeySize::Rsa3072),
        KeyAlgorithm::Rsa4096 => SoftwareKeyType::Rsa(KeySize::Rsa4096),
        KeyAlgorithm::P256 => {
            SoftwareKeyType::Ec(Curve { signing: &ECDSA_P256_SHA256_FIXED_SIGNING, digest: &digest::SHA256 })
        }
        KeyAlgorithm::P384 => {
            SoftwareKeyType::Ec(Curve { signing: &ECDSA_P384_SHA384_FIXED_SIGNING, digest: &digest::SHA384 })
        }
        KeyAlgorithm::P521 => {
            SoftwareKeyType::Ec(Curve { signing: &ECDSA_P521_SHA512_FIXED_SIGNING, digest: &digest::SHA512 })
        }
        KeyAlgorithm::Ed25519 => SoftwareKeyType::Ed25519,
    }
}

fn rsa_scheme(algorithm: SignatureAlgorithm) -> (&'static dyn RsaEncoding, &'static digest::Algorithm) {
    match algorithm {
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384) => (&RSA_PKCS1_SHA384, &digest::SHA384),
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha512) => (&RSA_PKCS1_SHA512, &digest::SHA512),
        SignatureAlgorithm::RsaPss(HashAlgorithm::Sha256) => (&RSA_PSS_SHA256, &digest::SHA256),
        SignatureAlgorithm::RsaPss(HashAlgorithm::Sha384) => (&RSA_PSS_SHA384, &digest::SHA384),
        SignatureAlgorithm::RsaPss(HashAlgorithm::Sha512) => (&RSA_PSS_SHA512, &digest::SHA512),
        _ => (&RSA_PKCS1_SHA256, &digest::SHA256),
    }
}

fn digest_of(hash: HashAlgorithm, input: &SignInput) -> Result<Vec<u8>, ProviderError> {
    match input {
        SignInput::Message(message) => Ok(hash.digest(message)),
        SignInput::Digest(digest) if digest.len() == hash.output_len() => Ok(digest.clone()),
        SignInput::Digest(_) => Err(unsupported("a digest that is none of the algorithm's hash")),
    }
}

fn imported(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> Result<Digest, ProviderError> {
    Digest::import_less_safe(bytes, algorithm).map_err(|Unspecified| unsupported("a digest of another length"))
}

fn unsupported(what: &str) -> ProviderError {
    ProviderError::Unsupported(what.to_owned())
}

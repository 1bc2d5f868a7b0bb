//! Private keys in this process: made, read, used, and wiped when dropped.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

use crate::provider::{ProviderError, SignInput};
use strongroom_domain::key::{
    EcCurve, HashAlgorithm, KeyAlgorithm, KeyParameters, SignatureAlgorithm, SignatureScheme,
};
use strongroom_domain::secret::Secret;

const MISMATCH: &str = "key and signature algorithm do not fit";

/// A private key, ready for use.
pub(super) enum SoftwareKey {
    Rsa(RsaKeyPair),
    Ec(&'static EcCurve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    /// Makes a key; slow for RSA.
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Result<Self, Unspecified> {
        Ok(match algorithm.parameters() {
            KeyParameters::Rsa(size) => Self::Rsa(RsaKeyPair::generate(size)?),
            KeyParameters::Ec(curve) => Self::Ec(curve, EcdsaKeyPair::generate(curve.signing)?),
            KeyParameters::EdDsa(_) => Self::Ed25519(Ed25519KeyPair::generate()?),
        })
    }

    /// Reads PKCS#8 (RFC 5958) that must be a key of `algorithm`; its public half is derived,
    /// not believed.
    pub(super) fn from_pkcs8(algorithm: KeyAlgorithm, pkcs8: &Secret) -> Result<Self, KeyRejected> {
        let bytes = pkcs8.expose();
        Ok(match algorithm.parameters() {
            KeyParameters::Rsa(_) => {
                let pair = RsaKeyPair::from_pkcs8(bytes)?;
                let bits = pair.public_key().modulus().big_endian_without_leading_zero().first().map_or(0, |first| {
                    pair.public_modulus_len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0)
                });
                if u32::try_from(bits) != Ok(algorithm.bits()) {
                    return Err(KeyRejected::from(Unspecified));
                }
                Self::Rsa(pair)
            }
            KeyParameters::Ec(curve) => Self::Ec(curve, EcdsaKeyPair::from_pkcs8(curve.signing, bytes)?),
            KeyParameters::EdDsa(_) => Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes)?),
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
        let signature = match (self, algorithm.scheme()) {
            (Self::Rsa(pair), SignatureScheme::RsaPkcs1(hash) | SignatureScheme::RsaPss(hash)) => {
                let encoding = algorithm.rsa_encoding().ok_or_else(|| unsupported(MISMATCH))?;
                let mut signature = vec![0; pair.public_modulus_len()];
                let digest = imported(hash, &digest_of(hash, input)?)?;
                pair.sign_digest(encoding, &digest, &mut signature).map(|()| signature)
            }
            (Self::Ec(curve, pair), SignatureScheme::Ecdsa(hash)) => {
                let digest = imported(curve.hash, &fitted(curve.hash, &digest_of(hash, input)?))?;
                pair.sign_digest(&digest).map(|signature| signature.as_ref().to_vec())
            }
            (Self::Ed25519(pair), SignatureScheme::EdDsa) => match input {
                SignInput::Message(message) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
                SignInput::Digest(_) => return Err(unsupported("Ed25519 signs messages, not digests")),
            },
            _ => return Err(unsupported(MISMATCH)),
        };
        signature.map_err(|Unspecified| ProviderError::Unavailable("the signature could not be made".to_owned()))
    }
}

/// The digest as the curve's own hash would have given it: ECDSA takes the leftmost bits,
/// as many as the order has (FIPS 186-5 section 6.4.1), and reads them as a number, which
/// zeros before it do not change.
fn fitted(own: HashAlgorithm, digest: &[u8]) -> Vec<u8> {
    let width = own.output_len();
    let kept = digest.get(..width).unwrap_or(digest);
    let mut fitted = vec![0; width - kept.len()];
    fitted.extend_from_slice(kept);
    fitted
}

fn digest_of(hash: HashAlgorithm, input: &SignInput) -> Result<Vec<u8>, ProviderError> {
    match input {
        SignInput::Message(message) => Ok(hash.digest(message)),
        SignInput::Digest(digest) if digest.len() == hash.output_len() => Ok(digest.clone()),
        SignInput::Digest(_) => Err(unsupported("a digest that is none of the algorithm's hash")),
    }
}

fn imported(hash: HashAlgorithm, bytes: &[u8]) -> Result<Digest, ProviderError> {
    Digest::import_less_safe(bytes, hash.implementation())
        .map_err(|Unspecified| unsupported("a digest of another length"))
}

fn unsupported(what: &str) -> ProviderError {
    ProviderError::Unsupported(what.to_owned())
}

//! Verification of signatures by a public key.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::db::rfc5912::{SECP_256_R_1, SECP_384_R_1, SECP_521_R_1, SHA_1_WITH_RSA_ENCRYPTION};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use super::algorithm::signature_algorithm;
use super::tbs::encode;
use strongroom_domain::key::{HashAlgorithm, Signature, SignatureAlgorithm, SpkiDer};

/// A signature that is not by this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// Verifies a signature in PKCS#11 form over a message.
///
/// # Errors
/// When it does not verify, whatever the reason.
pub fn verify(spki: &SpkiDer, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
    let encoded = encode(signature).map_err(|_| BadSignature)?;
    verify_encoded(spki, signature.algorithm(), message, &encoded)
}

/// Verifies a signature in the form of X.509 (ECDSA as DER) over a message.
///
/// # Errors
/// When it does not verify, whatever the reason.
pub fn verify_encoded(
    spki: &SpkiDer,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let verification = verification(spki, algorithm).ok_or(BadSignature)?;
    UnparsedPublicKey::new(verification, spki.as_bytes()).verify(message, signature).map_err(|_| BadSignature)
}

/// Verifies the signature of a certificate that others made, RSA with SHA-1 included.
///
/// # Errors
/// When it does not verify, or is by an algorithm that nothing here can verify.
pub(super) fn verify_foreign(
    spki: &SpkiDer,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    if algorithm.oid == SHA_1_WITH_RSA_ENCRYPTION {
        return UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, spki.as_bytes())
            .verify(message, signature)
            .map_err(|_| BadSignature);
    }
    verify_encoded(spki, signature_algorithm(algorithm).ok_or(BadSignature)?, message, signature)
}

/// Verifies a signature in the form of X.509 over a message whose digest this is.
///
/// # Errors
/// When it does not verify, whatever the reason.
pub fn verify_digest(
    spki: &SpkiDer,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let verification = verification(spki, algorithm).ok_or(BadSignature)?;
    let hash = match algorithm.hash().ok_or(BadSignature)? {
        HashAlgorithm::Sha256 => &digest::SHA256,
        HashAlgorithm::Sha384 => &digest::SHA384,
        HashAlgorithm::Sha512 => &digest::SHA512,
    };
    let digest = Digest::import_less_safe(digest, hash).map_err(|_| BadSignature)?;
    UnparsedPublicKey::new(verification, spki.as_bytes()).verify_digest(&digest, signature).map_err(|_| BadSignature)
}

/// `None` where key and algorithm do not fit.
fn verification(spki: &SpkiDer, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256) => &RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384) => &RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha512) => &RSA_PKCS1_2048_8192_SHA512,
        SignatureAlgorithm::RsaPss(HashAlgorithm::Sha256) => &RSA_PSS_2048_8192_SHA256,
        SignatureAlgorithm::RsaPss(HashAlgorithm::Sha384) => &RSA_PSS_2048_8192_SHA384,
        SignatureAlgorithm::RsaPss(HashAlgorithm::Sha512) => &RSA_PSS_2048_8192_SHA512,
        SignatureAlgorithm::Ecdsa(hash) => return ecdsa(spki, hash),
        SignatureAlgorithm::Ed25519 => &ED25519,
    })
}

/// An ECDSA verification is one of a curve, which only the key knows.
fn ecdsa(spki: &SpkiDer, hash: HashAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).ok()?;
    Some(match (spki.algorithm.parameters_oid().ok()?, hash) {
        (SECP_256_R_1, HashAlgorithm::Sha256) => &ECDSA_P256_SHA256_ASN1,
        (SECP_256_R_1, HashAlgorithm::Sha384) => &ECDSA_P256_SHA384_ASN1,
        (SECP_256_R_1, HashAlgorithm::Sha512) => &ECDSA_P256_SHA512_ASN1,
        (SECP_384_R_1, HashAlgorithm::Sha256) => &ECDSA_P384_SHA256_ASN1,
        (SECP_384_R_1, HashAlgorithm::Sha384) => &ECDSA_P384_SHA384_ASN1,
        (SECP_384_R_1, HashAlgorithm::Sha512) => &ECDSA_P384_SHA512_ASN1,
        (SECP_521_R_1, HashAlgorithm::Sha256) => &ECDSA_P521_SHA256_ASN1,
        (SECP_521_R_1, HashAlgorithm::Sha384) => &ECDSA_P521_SHA384_ASN1,
        (SECP_521_R_1, HashAlgorithm::Sha512) => &ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

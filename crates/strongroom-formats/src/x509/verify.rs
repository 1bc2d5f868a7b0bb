//! Verification of signatures by a public key.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{UnparsedPublicKey, VerificationAlgorithm};
use spki::SubjectPublicKeyInfoRef;

use super::tbs::encode;
use strongroom_domain::key::{EcCurve, Signature, SignatureAlgorithm, SpkiDer};

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
    let hash = algorithm.hash().ok_or(BadSignature)?;
    let digest = Digest::import_less_safe(digest, hash.implementation()).map_err(|_| BadSignature)?;
    UnparsedPublicKey::new(verification, spki.as_bytes()).verify_digest(&digest, signature).map_err(|_| BadSignature)
}

/// `None` where an EC algorithm meets a key without a known curve.
fn verification(spki: &SpkiDer, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).ok()?;
    // Only of EC keys are the parameters an object identifier.
    algorithm.verification(spki.algorithm.parameters_oid().ok().and_then(EcCurve::of))
}

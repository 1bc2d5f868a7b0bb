//! Verification, by the public half alone: no provider is asked.

use std::sync::Arc;

use super::authorise::check_input;
use super::{SignInput, Signing, SigningKey, Target};
use crate::auth::Caller;
use crate::auth::policy::Action;
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyAlgorithm, Signature, SignatureAlgorithm, SignatureScheme};
use strongroom_formats::x509;

/// A signature to be looked at.
#[derive(Clone, Debug)]
pub enum PresentedSignature {
    /// In PKCS#11 form, which is also JOSE's.
    Raw(Vec<u8>),
    /// In X.509's form: ECDSA as DER.
    Der(Vec<u8>),
}

impl Signing {
    /// Whether a signature is this key's over this input.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` (a key that has no signatures, or an ambiguous
    /// kid), `Invalid`.
    pub async fn verify(
        &self,
        caller: &Caller,
        target: &Target,
        algorithm: &str,
        input: &SignInput,
        signature: PresentedSignature,
    ) -> Result<(Arc<SigningKey>, bool), Error> {
        let key = self.find_allowed(caller, Action::Verify, target).await?;
        key.check_may_verify()?;
        let algorithm = key.permitted_algorithm(algorithm)?;
        check_input(algorithm, input)?;
        let valid = encoded(key.algorithm(), algorithm, signature).is_some_and(|signature| {
            let spki = &key.key.spki;
            match input {
                SignInput::Message(message) => x509::verify_encoded(spki, algorithm, message, &signature),
                SignInput::Digest(digest) => x509::verify_digest(spki, algorithm, digest, &signature),
            }
            .is_ok()
        });
        Ok((key, valid))
    }
}

/// The form of X.509; `None` for halves that are not as wide as the curve's order.
fn encoded(key: KeyAlgorithm, algorithm: SignatureAlgorithm, signature: PresentedSignature) -> Option<Vec<u8>> {
    match (signature, algorithm.scheme()) {
        (PresentedSignature::Raw(raw), SignatureScheme::Ecdsa(_)) => {
            if raw.len() != 2 * key.curve()?.scalar_len {
                return None;
            }
            x509::encode(&Signature::from_raw(algorithm, raw)).ok()
        }
        (PresentedSignature::Raw(bytes) | PresentedSignature::Der(bytes), _) => Some(bytes),
    }
}

//! Decryption: one ciphertext, by a key whose use it is.

use std::sync::Arc;

use metrics::counter;

use super::{Signing, SigningKey, Target};
use crate::auth::Caller;
use crate::auth::policy::Action;
use crate::provider::ProviderError;
use strongroom_domain::error::{Error, ErrorKind, FieldViolation, OperationFault, OperationField};
use strongroom_domain::key::{DecryptionAlgorithm, KeyState, KeyUse};
use strongroom_domain::secret::Secret;

impl Signing {
    /// Decrypts a ciphertext. One that does not decrypt is `Invalid` at the ciphertext
    /// with the same reason, whatever is wrong with it, so that nobody learns to decrypt from refusals
    /// (RFC 8017 section 7.1.2).
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` (a key that does not decrypt yet, or an ambiguous
    /// kid), `Invalid`, `Unsupported`, `Busy`, `Deadline`, `ProviderUnavailable`.
    pub async fn decrypt(
        &self,
        caller: &Caller,
        target: &Target,
        algorithm: &str,
        ciphertext: Vec<u8>,
    ) -> Result<(Arc<SigningKey>, Secret), Error> {
        let key = self.find_allowed(caller, Action::Decrypt, target).await?;
        key.may_decrypt()?;
        let algorithm = DecryptionAlgorithm::from_name(algorithm).ok_or_else(unknown_algorithm)?;
        let provider = self.provider_of(&key)?;
        if provider.capabilities().is_some_and(|able| !able.decryptions.contains(&algorithm)) {
            let message = format!("the {} provider does not decrypt {algorithm}", key.provider.name());
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        if usize::try_from(key.algorithm().bits() / 8) != Ok(ciphertext.len()) {
            return Err(not_decrypted());
        }
        let admission = self.admit(caller, &key)?;
        let permit = admission.acquire(caller.deadline()).await?;
        let reader = Arc::clone(&key);
        let work = async move { provider.decrypt(&reader.key, algorithm, ciphertext).await };
        let opened = permit.run(caller.deadline(), work).await?;
        let outcome = match &opened {
            Ok(_) => "decrypted",
            Err(ProviderError::NotDecrypted) => "refused",
            Err(ProviderError::Busy) => "busy",
            Err(_) => "failed",
        };
        counter!("strongroom_decryptions_total", "algorithm" => algorithm.name(), "outcome" => outcome).increment(1);
        self.report_missing(&key, &opened);
        self.audit_damage(caller, &key, &opened).await?;
        match opened {
            Ok(plaintext) => Ok((key, plaintext)),
            Err(ProviderError::NotDecrypted) => Err(not_decrypted()),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl SigningKey {
    /// Passes when the key decrypts: what was encrypted while it was Active stays readable.
    fn may_decrypt(&self) -> Result<(), Error> {
        if self.key_use != KeyUse::Decrypt {
            return Err(Error::new(ErrorKind::Forbidden, "the key's use is signing: it does not decrypt"));
        }
        self.check_ring_kind()?;
        match self.state {
            KeyState::Active | KeyState::Deactivated => self.check_present(),
            state => Err(Error::new(ErrorKind::Conflict, format!("the key is {state}: it does not decrypt"))),
        }
    }
}

fn unknown_algorithm() -> Error {
    let names = DecryptionAlgorithm::ALL.map(DecryptionAlgorithm::name).to_vec();
    FieldViolation::of_operation(OperationField::Algorithm, OperationFault::NotADecryption(names)).into()
}

fn not_decrypted() -> Error {
    FieldViolation::of_operation(OperationField::Ciphertext, OperationFault::NotDecrypted).into()
}

//! Decryptions, on a second host if the first is lost.

use super::{Link, Role};
use crate::error::TokenError;
use crate::protocol::{Call, CallOutcome, DecryptCall};
use strongroom_domain::secret::Secret;

impl Link {
    /// Decrypts.
    pub(crate) async fn decrypt(&self, request: DecryptCall) -> Result<Secret, TokenError> {
        let link = &self.inner;
        let suspect = (request.id.clone(), request.algorithm.name());
        link.poisoned.check(&suspect)?;
        let _place = link.signing.reserve_slots(1)?;
        let limit = link.options.hosts.sign_timeout;
        let call = Call::Decrypt(request);
        match link.send_repeatable(Role::Sign, &call, limit, false, || link.poisoned.add(&suspect)).await? {
            CallOutcome::Decrypted(plaintext) => Ok(plaintext.into()),
            other => Err(TokenError::unexpected(&other)),
        }
    }
}

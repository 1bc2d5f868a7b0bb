//! Decryptions, on a second host if the first is lost.

use super::Link;
use crate::error::TokenError;
use crate::protocol::{Call, CallOutcome, DecryptCall};
use strongroom_domain::secret::Secret;

impl Link {
    /// Decrypts.
    pub(crate) async fn decrypt(&self, request: DecryptCall) -> Result<Secret, TokenError> {
        let link = &self.inner;
        let suspect = (request.id.clone(), request.algorithm.name());
        let _place = link.signing.reserve_slots(1)?;
        match link.send_with_key(&Call::Decrypt(request), &suspect, false).await? {
            CallOutcome::Decrypted(plaintext) => Ok(plaintext.into()),
            other => Err(TokenError::unexpected(&other)),
        }
    }
}

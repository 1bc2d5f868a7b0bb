//! Decryptions, on a second host if the first is lost.

use super::{Link, Role};
use crate::error::TokenError;
use crate::protocol::{Call, Decryption, Outcome};
use strongroom_domain::secret::Secret;

impl Link {
    /// Decrypts.
    pub(crate) async fn decrypt(&self, request: Decryption) -> Result<Secret, TokenError> {
        let link = &self.inner;
        let suspect = (request.id.clone(), request.algorithm.name());
        link.condemned.pass(&suspect)?;
        let _place = link.signing.enter(1)?;
        let limit = link.options.hosts.sign_timeout;
        let call = Call::Decrypt(request);
        match link.repeatable(Role::Sign, &call, limit, false, || link.condemned.add(&suspect)).await? {
            Outcome::Decrypted(plaintext) => Ok(plaintext.into()),
            other => Err(TokenError::unexpected(&other)),
        }
    }
}

//! Generation of key pairs with a self-signed certificate.

use std::time::Instant;

use super::creation::{Source, Wish};
use super::{Keyring, Made, NewKeyPair};
use crate::auth::Principal;
use crate::error::Error;
use crate::key::Origin;

impl Keyring {
    /// Makes a key pair with its certificate and commits it as the Active key of a new ring.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid` (ring taken, idempotency key with another body), `Conflict`
    /// (the same request is running), `Unsupported`, `ProviderUnavailable`, `Busy`,
    /// `Deadline`. Whenever there is an error, nothing was changed.
    pub async fn generate(&self, who: &Principal, new: NewKeyPair) -> Result<Made, Error> {
        let wish = Wish {
            ring: new.ring,
            provider: new.provider,
            origin: Origin::Generated,
            key_use: new.key_use,
            algorithm: new.algorithm,
            signature_algorithm: new.signature_algorithm,
            permitted: new.permitted,
            idempotency: new.idempotency,
            deadline: Instant::now() + new.deadline,
            request_id: new.request_id,
        };
        self.create(who, wish, Source::Generate(new.certificate)).await
    }
}

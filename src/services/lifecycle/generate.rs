//! Generation: of a ring's first key pair, and of those that follow it.

use std::sync::Arc;
use std::time::Instant;

use super::creation::{KeySpec, RingUpdate};
use super::obtain::KeyMaterial;
use super::{
    DocumentChanges, InitialState, KeyCreated, Keyring, KidScheme, NewKeyPair, NewRingKey, RingChange, RingChanged,
};
use crate::auth::{Caller, policy};
use strongroom_domain::error::Error;
use strongroom_domain::key::KeyOrigin;

impl Keyring {
    /// Makes a key pair, with its certificate if it shall have one, and commits it as the
    /// Active key of a new ring.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid` (ring taken, idempotency key with another body), `Conflict`
    /// (the same request is running), `Unsupported`, `ProviderUnavailable`, `Busy`,
    /// `Deadline`. Whenever there is an error, nothing was changed.
    pub async fn generate(self: &Arc<Self>, who: &Caller, new: NewKeyPair) -> Result<KeyCreated, Error> {
        policy::allow(who, policy::Action::CreateKey, &new.ring)?;
        let update = RingUpdate::for_new_ring(new.ring, Instant::now() + new.deadline);
        let spec = KeySpec {
            initial_state: InitialState::Active,
            kid_scheme: KidScheme::Thumbprint,
            provider: new.provider,
            origin: KeyOrigin::Generated,
            key_use: new.key_use,
            algorithm: new.algorithm,
            signature_algorithm: new.signature_algorithm,
            permitted: new.permitted,
        };
        self.create(who, update, spec, KeyMaterial::Generate(new.certificate)).await
    }

    /// Generates new members of a ring and moves others, in one transaction.
    ///
    /// # Errors
    /// Those of [`Keyring::generate`]; `Conflict` when a moved pair is no longer as it was
    /// seen, a state does not allow its move, another successor is on its way, or another
    /// sweep has begun; `InUse`. Whenever there is an error, nothing was changed.
    pub async fn change_ring(self: &Arc<Self>, who: &Caller, change: RingChange) -> Result<RingChanged, Error> {
        self.change_ring_and_documents(who, change, DocumentChanges::default()).await
    }

    /// [`Self::change_ring`] with documents that change in the same transaction.
    ///
    /// # Errors
    /// Those of [`Self::change_ring`]; `Conflict` when a document is not as it was expected.
    pub(in crate::services) async fn change_ring_and_documents(
        self: &Arc<Self>,
        who: &Caller,
        change: RingChange,
        documents: DocumentChanges,
    ) -> Result<RingChanged, Error> {
        policy::allow(who, policy::Action::ChangeRing, &change.ring)?;
        let update = RingUpdate {
            ring: change.ring,
            placement: change.placement,
            state_changes: change.state_changes,
            reason: change.reason,
            fence: change.fence,
            documents,
            deadline: Instant::now() + change.deadline,
        };
        self.apply_update(who, update, change.keys.into_iter().map(spec_of).collect()).await
    }
}

fn spec_of(member: NewRingKey) -> (KeySpec, KeyMaterial) {
    let spec = KeySpec {
        initial_state: member.initial_state,
        kid_scheme: member.kid_scheme,
        provider: member.provider,
        origin: KeyOrigin::Generated,
        key_use: member.key_use,
        algorithm: member.algorithm,
        signature_algorithm: member.signature_algorithm,
        permitted: member.permitted,
    };
    (spec, KeyMaterial::Generate(member.certificate))
}

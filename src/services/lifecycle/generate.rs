//! Generation: of a ring's first key pair, and of those that follow it.

use std::time::Instant;

use super::creation::{KeySpec, RingUpdate};
use super::obtain::KeyMaterial;
use super::{InitialState, KeyCreated, Keyring, KidScheme, NewKeyPair, NewRingKey, RingChange, RingChanged};
use crate::auth::{Caller, policy};
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyOrigin, KeyState};

impl Keyring {
    /// Makes a key pair, with its certificate if it shall have one, and commits it as the
    /// Active key of a new ring.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid` (ring taken, idempotency key with another body), `Conflict`
    /// (the same request is running), `Unsupported`, `ProviderUnavailable`, `Busy`,
    /// `Deadline`. Whenever there is an error, nothing was changed.
    pub async fn generate(&self, who: &Caller, new: NewKeyPair) -> Result<KeyCreated, Error> {
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
    pub async fn change_ring(&self, who: &Caller, change: RingChange) -> Result<RingChanged, Error> {
        policy::allow(who, policy::Action::ChangeRing, &change.ring)?;
        let destroys = change.state_changes.iter().any(|step| step.to == KeyState::Destroying);
        let update = RingUpdate {
            ring: change.ring,
            placement: change.placement,
            state_changes: change.state_changes,
            reason: change.reason,
            fence: change.fence,
            deadline: Instant::now() + change.deadline,
        };
        let changed = self.apply_update(who, update, change.keys.into_iter().map(spec_of).collect()).await?;
        if destroys {
            self.reconcile_soon(false);
        }
        Ok(changed)
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

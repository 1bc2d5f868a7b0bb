//! Generation: of a ring's first key pair, and of those that follow it.

use std::time::Instant;

use super::creation::{Order, Wish};
use super::making::Source;
use super::{Changed, Entry, Keyring, Made, NewKeyPair, NewKid, NewMember, RingChange};
use crate::auth::Principal;
use strongroom_domain::error::Error;
use strongroom_domain::key::{Origin, State};

impl Keyring {
    /// Makes a key pair, with its certificate if it shall have one, and commits it as the
    /// Active key of a new ring.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid` (ring taken, idempotency key with another body), `Conflict`
    /// (the same request is running), `Unsupported`, `ProviderUnavailable`, `Busy`,
    /// `Deadline`. Whenever there is an error, nothing was changed.
    pub async fn generate(&self, who: &Principal, new: NewKeyPair) -> Result<Made, Error> {
        let order = Order::founding(new.ring, new.idempotency, Instant::now() + new.deadline, new.request_id);
        let wish = Wish {
            entry: Entry::Active,
            kid: NewKid::Thumbprint,
            provider: new.provider,
            origin: Origin::Generated,
            key_use: new.key_use,
            algorithm: new.algorithm,
            signature_algorithm: new.signature_algorithm,
            permitted: new.permitted,
        };
        self.create(who, order, wish, Source::Generate(new.certificate)).await
    }

    /// Generates new members of a ring and moves others, in one transaction.
    ///
    /// # Errors
    /// Those of [`Keyring::generate`]; `Conflict` when a moved pair is no longer as it was
    /// seen, a state does not allow its move, another successor is on its way, or another
    /// sweep has begun; `InUse`. Whenever there is an error, nothing was changed.
    pub async fn change_ring(&self, who: &Principal, change: RingChange) -> Result<Changed, Error> {
        let destroys = change.moves.iter().any(|step| step.to == State::Destroying);
        let order = Order {
            ring: change.ring,
            joining: change.joining,
            moves: change.moves,
            reason: change.reason,
            fence: change.fence,
            idempotency: change.idempotency,
            deadline: Instant::now() + change.deadline,
            request_id: change.request_id,
        };
        let changed = self.undertake(who, order, change.members.into_iter().map(wanted).collect()).await?;
        if destroys {
            self.reconcile_soon(false);
        }
        Ok(changed)
    }
}

fn wanted(member: NewMember) -> (Wish, Source) {
    let wish = Wish {
        entry: member.entry,
        kid: member.kid,
        provider: member.provider,
        origin: Origin::Generated,
        key_use: member.key_use,
        algorithm: member.algorithm,
        signature_algorithm: member.signature_algorithm,
        permitted: member.permitted,
    };
    (wish, Source::Generate(member.certificate))
}

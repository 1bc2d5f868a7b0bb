//! Building of key sets: the published keys of a ring, and how long the set stays valid. Pure.

use std::iter;
use std::time::Duration;

use crate::services::lifecycle::{holder_of, note_unreadable};
use crate::services::rotation::plan::plan;
use crate::services::rotation::{Policy, StepKind};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{
    CertificateDer, DecryptionAlgorithm, KeyFamily, KeyPair, KeyState, KeyUse, ProviderKind, RingId, RingKind,
};
use strongroom_formats::jose::{Jwk, algorithm_name};
use strongroom_formats::x509::check_readable;

/// Whether a key shows its certificates in a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateDisplay {
    Shown,
    Hidden,
}

/// How long a set is cached that lacks the decryption algorithms of its keys.
const UNSAID: Duration = Duration::from_secs(10);

/// A key set in the making.
#[derive(Debug)]
pub(super) struct KeySetBuilder {
    now: Timestamp,
    /// How each provider that can be asked decrypts best.
    decryptions: Vec<(ProviderKind, Option<DecryptionAlgorithm>)>,
    keys: Vec<Jwk>,
    /// When the schedule changes it, or who signs.
    changes: Vec<Timestamp>,
}

impl KeySetBuilder {
    /// An empty key set as of `now`, with the decryption algorithm of each provider.
    pub(super) const fn new(now: Timestamp, decryptions: Vec<(ProviderKind, Option<DecryptionAlgorithm>)>) -> Self {
        Self { now, decryptions, keys: Vec::new(), changes: Vec::new() }
    }

    /// The published ones of a ring's visible key pairs; notes when the set or its signer changes.
    pub(super) fn publish_ring(&mut self, ring: &RingId, pairs: Vec<KeyPair>, policy: &Policy) -> Vec<KeyPair> {
        let in_overlap = |pair: &KeyPair| pair.suspended_from.unwrap_or(pair.state) == KeyState::Deactivated;
        let ends = |pair: &KeyPair| in_overlap(pair).then(|| end(ring, pair, policy)).flatten();
        self.changes.extend(pairs.iter().filter_map(ends).filter(|end| *end > self.now));
        let leaves = |key| pairs.iter().any(|pair| pair.id == key && pair.state != KeyState::Deactivated);
        let steps = plan(&pairs, policy, self.now).steps;
        let changing = steps.iter().filter(|step| match step.kind {
            StepKind::Create | StepKind::Activate(_) | StepKind::Replace(_) => true,
            // A Deactivated key has left with the end of its overlap, which was noted above.
            StepKind::Withdraw(key) | StepKind::Destroy(key) => leaves(key),
        });
        self.changes.extend(changing.map(|step| step.at));
        let published = |pair: &KeyPair| match pair.state {
            KeyState::Active | KeyState::PreActive => true,
            KeyState::Deactivated | KeyState::Suspended => {
                !pair.unpublished && ends(pair).is_none_or(|end| end > self.now)
            }
            KeyState::Reserved
            | KeyState::Abandoning
            | KeyState::Stocked
            | KeyState::Compromised
            | KeyState::PendingDestruction
            | KeyState::Destroying
            | KeyState::Destroyed => false,
        };
        pairs.into_iter().filter(published).collect()
    }

    /// Adds a key under its own name, which a JWS made here carries.
    pub(super) fn add(&mut self, pair: &KeyPair, certificates: CertificateDisplay) -> Result<(), Error> {
        let kid = pair.kid.as_ref().ok_or_else(|| unfit("a visible key pair without a kid"))?;
        self.add_named(pair, kid.as_str(), certificates)
    }

    /// Adds a key under a name.
    pub(super) fn add_named(
        &mut self,
        pair: &KeyPair,
        kid: &str,
        certificates: CertificateDisplay,
    ) -> Result<(), Error> {
        let algorithm = self.usual_algorithm(pair);
        self.add_as(pair, kid, algorithm, certificates)
    }

    /// Adds a key under a name and for an algorithm; the same twice is once, with its certificates if either has them.
    pub(super) fn add_as(
        &mut self,
        pair: &KeyPair,
        kid: &str,
        algorithm: Option<&str>,
        certificates: CertificateDisplay,
    ) -> Result<(), Error> {
        let spki = pair.spki.as_ref().ok_or_else(|| unfit("a visible key pair without a public key"))?;
        let plain = Jwk::from_spki(spki).map_err(unfit)?.with_kid(kid).with_use(pair.key_use, algorithm);
        let full = plain.clone().with_x5c(published(pair, certificates));
        let is_shown = certificates == CertificateDisplay::Shown;
        match self.keys.iter_mut().find(|known| **known == plain || **known == full) {
            Some(known) if is_shown => *known = full,
            Some(_) => {}
            None => self.keys.push(if is_shown { full } else { plain }),
        }
        Ok(())
    }

    /// The default algorithm of a key: the first one with a JOSE name.
    pub(super) fn usual_algorithm(&mut self, pair: &KeyPair) -> Option<&'static str> {
        if pair.key_use == KeyUse::Sign {
            let mut usual = iter::once(pair.signature_algorithm).chain(pair.permitted.iter().copied());
            return usual.find_map(|algorithm| algorithm_name(pair.algorithm, algorithm));
        }
        let Some((_, best)) = self.decryptions.iter().find(|(provider, _)| *provider == pair.provider) else {
            // The provider was not ready yet.
            self.changes.push(self.now.plus(UNSAID));
            return None;
        };
        best.filter(|_| pair.algorithm.family() == KeyFamily::Rsa).map(DecryptionAlgorithm::name)
    }

    pub(super) fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// When the schedule changes it, or who signs, next; what is overdue counts.
    pub(super) fn changes_at(&self) -> Option<Timestamp> {
        self.changes.iter().copied().min()
    }

    /// Until when it stays as it is: what is overdue does not come about by time alone.
    pub(super) fn holds_until(&self) -> Option<Timestamp> {
        self.changes.iter().copied().filter(|change| *change > self.now).min()
    }
}

/// The certificates that a key set shows of a key: none where one cannot be read, because verifiers that
/// stumble over one certificate refuse the whole set.
fn published(pair: &KeyPair, certificates: CertificateDisplay) -> &[CertificateDer] {
    match check_readable(&pair.certificates) {
        Ok(()) => &pair.certificates,
        Err(why) => {
            if certificates == CertificateDisplay::Shown {
                note_unreadable(holder_of(pair), &why);
            }
            &[]
        }
    }
}

/// When a Deactivated key leaves the key sets; web keys stay until they are deleted.
fn end(ring: &RingId, pair: &KeyPair, policy: &Policy) -> Option<Timestamp> {
    let overlap = policy.overlap.filter(|_| ring.kind() != RingKind::WebKeys)?;
    Some(pair.deactivated_at.unwrap_or(pair.created_at).plus(overlap))
}

fn unfit(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "internal error").with_source(cause)
}

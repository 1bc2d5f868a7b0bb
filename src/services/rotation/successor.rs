//! Successors: key pairs modelled on the key that they follow.

use std::time::Duration;

use super::Rotation;
use super::plan::is_succeeded_here;
use crate::auth::{Caller, Task};
use crate::services::lifecycle::{Capabilities, CertificateSpec, InitialState, KidScheme, NewRingKey};
use crate::services::settings::RotationSettings;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{CertificateDer, KeyAlgorithm, KeyOrigin, KeyPair, RingId, RingKind, SignatureAlgorithm};
use strongroom_formats::x509::{CertificateNames, CertificateProfile, CertificateSummary};

const DAY: u64 = 86_400;
/// About a century: what generation allows too.
const MAX_VALID_DAYS: u32 = 36_500;

/// Differences between a successor and the key that it follows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SuccessorChanges {
    pub(super) algorithm: Option<(KeyAlgorithm, SignatureAlgorithm)>,
    pub(super) valid_days: Option<u32>,
}

impl SuccessorChanges {
    /// What a request asks for, else what the settings of the ring say.
    pub(super) fn of(asked: Option<(KeyAlgorithm, SignatureAlgorithm)>, settings: Option<RotationSettings>) -> Self {
        let said = settings.map(|settings| (settings.algorithm, settings.signature_algorithm));
        Self { algorithm: asked.or(said), valid_days: settings.map(|settings| settings.valid_days) }
    }
}

impl Rotation {
    /// A key pair that follows another: by the same provider, for the same use, with the same
    /// names in a new self-signed certificate where the other has one.
    ///
    /// # Errors
    /// `Conflict` when the other's certificate is not self-signed, or its key another's;
    /// `Damaged` when its certificate cannot be read.
    pub(super) fn successor(
        &self,
        ring: &RingId,
        of: &KeyPair,
        differences: SuccessorChanges,
        entry: InitialState,
    ) -> Result<NewRingKey, Error> {
        require_own(ring, of)?;
        let (algorithm, signature_algorithm) = differences.algorithm.unwrap_or((of.algorithm, of.signature_algorithm));
        let certificate = of.leaf().map(|leaf| spec_like(ring.kind(), leaf, differences.valid_days)).transpose()?;
        Ok(NewRingKey {
            initial_state: entry,
            kid_scheme: if ring.kind() == RingKind::WebKeys { KidScheme::Decimal } else { KidScheme::Thumbprint },
            provider: of.provider,
            key_use: of.key_use,
            algorithm,
            signature_algorithm,
            permitted: self.permitted(of, algorithm, signature_algorithm)?,
            certificate,
        })
    }

    /// Permitted algorithms of a successor: those of the key it follows, else the usual ones of its
    /// algorithm.
    fn permitted(
        &self,
        of: &KeyPair,
        algorithm: KeyAlgorithm,
        signature_algorithm: SignatureAlgorithm,
    ) -> Result<Vec<SignatureAlgorithm>, Error> {
        if algorithm == of.algorithm && of.permitted.contains(&signature_algorithm) {
            return Ok(of.permitted.clone());
        }
        // A key of one purpose is followed by one of one purpose.
        if of.permitted.len() == 1 {
            return Ok(vec![signature_algorithm]);
        }
        let providers = self.keyring.capabilities(&Caller::daemon(Task::Sweep))?;
        let able = providers.into_iter().find(|(kind, _)| *kind == of.provider).and_then(|(_, able)| able);
        Ok(Capabilities::permitted(able.as_ref(), algorithm, signature_algorithm))
    }
}

/// Passes when we may make a key pair in the place of this one.
pub(super) fn require_own(ring: &RingId, pair: &KeyPair) -> Result<(), Error> {
    let name = if ring.name().is_empty() { ring.to_string() } else { ring.name().to_owned() };
    if pair.origin == KeyOrigin::Linked {
        let message = format!(
            "The key pair '{name}' was linked: its key is another's, who has to make a new one; link that one then."
        );
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    if is_succeeded_here(pair) {
        return Ok(());
    }
    let message = format!(
        "The certificate of the key pair '{name}' was issued by a certificate authority, which has to issue one for \
         a new key too: generate a key pair, have its CSR signed, and import the response."
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

/// A certificate with the names of `leaf`, valid as long as it was unless something else is said.
fn spec_like(kind: RingKind, leaf: &CertificateDer, valid_days: Option<u32>) -> Result<CertificateSpec, Error> {
    let unreadable = |failure| {
        Error::new(ErrorKind::Damaged, "the stored certificate of the key pair cannot be read").with_source(failure)
    };
    let summary = CertificateSummary::of(leaf).map_err(unreadable)?;
    let lifetime: Duration = summary.not_after.since(summary.not_before);
    let days = u32::try_from(lifetime.as_secs().div_ceil(DAY)).unwrap_or(MAX_VALID_DAYS);
    let valid_days = valid_days.unwrap_or(days).clamp(1, MAX_VALID_DAYS);
    Ok(CertificateSpec {
        names: CertificateNames::Of(leaf.clone()),
        valid_days,
        profile: CertificateProfile::of_ring(kind),
    })
}

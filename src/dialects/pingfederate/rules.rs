//! What a request to make a key pair may say; all that it may not is found at once.

use std::time::Duration;

use super::Services;
use super::Settings;
use super::algorithm_choice::{self, AlgorithmRequest};
use super::generate::NewKeyPairSettings;
use super::members::{non_empty, one_of, required};
use super::wire::CryptoProvider;
use crate::auth::Caller;
use crate::http::id;
use crate::http::subject::{self, MAX_VALID_DAYS};
use crate::services::lifecycle::{Capabilities, CertificateSpec, NewKeyPair};
use strongroom_domain::error::{Error, Rule, Violation};
use strongroom_domain::key::{KeyUse, ProviderKind, RingId, RingKind};
use strongroom_formats::x509::{CertificateNames, CertificateProfile, NameFault, Subject, SubjectField};

/// What requests are judged by.
pub(super) struct Rules {
    pub settings: Settings,
    pub family: RingKind,
    /// The providers that there are; `None` where one was never ready, and so cannot be asked.
    pub providers: Vec<(ProviderKind, Option<Capabilities>)>,
    pub deadline: Duration,
}

impl Rules {
    /// The rules for changes to a family, here and now: who may make none is told nothing else.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn of(services: &Services, who: &Caller, family: RingKind) -> Result<Self, Error> {
        let providers = services.keyring.capabilities(who)?;
        Ok(Self { settings: services.settings, family, providers, deadline: services.generate_deadline })
    }

    /// What the request asks for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn check(&self, wire: &NewKeyPairSettings) -> Result<NewKeyPair, Vec<Violation>> {
        let mut findings = Vec::new();
        let ring = self.ring(wire.id.as_deref(), &mut findings);
        let subject = subject_of(wire, &mut findings);
        let names = wire.subject_alternative_names.as_deref().unwrap_or_default();
        let alternative_names = subject::alternative_names("", names, &mut findings);
        let valid_days = valid_days(wire.valid_days, &mut findings);
        let provider = self.provider(wire.crypto_provider, &mut findings);
        let choice = algorithm_choice::choose(AlgorithmRequest::from(wire), self.capabilities(provider), &mut findings);
        let (Some(ring), Some(valid_days), Some(provider), Some(choice), true) =
            (ring, valid_days, provider, choice, findings.is_empty())
        else {
            return Err(findings);
        };
        Ok(NewKeyPair {
            ring,
            provider,
            key_use: KeyUse::Sign,
            algorithm: choice.algorithm,
            signature_algorithm: choice.signature_algorithm,
            permitted: choice.permitted,
            certificate: Some(CertificateSpec {
                names: CertificateNames::Given { subject, alternative_names },
                valid_days,
                profile: CertificateProfile::of_ring(self.family),
            }),
            deadline: self.deadline,
        })
    }

    /// The ring of an id that a client chose.
    pub(super) fn ring(&self, id: Option<&str>, findings: &mut Vec<Violation>) -> Option<RingId> {
        let id = id.unwrap_or_default();
        if let Some(message) = id::fault(id) {
            findings.push(Violation::at("id", Rule::InvalidValue, message));
            return None;
        }
        RingId::new(self.family, id).ok()
    }

    /// Who is to hold the key.
    pub(super) fn provider(
        &self,
        asked: Option<CryptoProvider>,
        findings: &mut Vec<Violation>,
    ) -> Option<ProviderKind> {
        let default = self.settings.default_provider;
        let provider = asked.map_or(default, ProviderKind::from);
        if !self.settings.hybrid && provider != default {
            let message = format!("cryptoProvider must be {} or absent: hybrid mode is off.", default.name());
            findings.push(Violation::at("cryptoProvider", Rule::InvalidValue, message));
            return None;
        }
        if self.providers.iter().all(|(kind, _)| *kind != provider) {
            let there = self.providers.iter().map(|(kind, _)| kind.name());
            let message = format!("There is no {} provider here, only: {}.", provider.name(), one_of(there));
            findings.push(Violation::at("cryptoProvider", Rule::NotSupportedByProvider, message));
            return None;
        }
        Some(provider)
    }

    /// Whether key pairs can be held by a provider: it is there, and the only one unless hybrid mode is on.
    pub(super) fn accepts_provider(&self, provider: ProviderKind) -> bool {
        (self.settings.hybrid || self.settings.default_provider == provider)
            && self.providers.iter().any(|(kind, _)| *kind == provider)
    }

    /// What a provider can do; `None` where it was never ready.
    pub(super) fn capabilities(&self, provider: Option<ProviderKind>) -> Option<&Capabilities> {
        self.providers.iter().find(|(kind, _)| Some(*kind) == provider)?.1.as_ref()
    }
}

impl<'a> From<&'a NewKeyPairSettings> for AlgorithmRequest<'a> {
    fn from(wire: &'a NewKeyPairSettings) -> Self {
        Self {
            key_algorithm: wire.key_algorithm.as_ref(),
            key_size: wire.key_size,
            signature_algorithm: wire.signature_algorithm.as_ref(),
        }
    }
}

fn subject_of(wire: &NewKeyPairSettings, findings: &mut Vec<Violation>) -> Subject {
    let owned = |text: Option<&String>| non_empty(text).map(str::to_owned);
    let subject = Subject {
        common_name: owned(wire.common_name.as_ref()).unwrap_or_default(),
        organization: owned(wire.organization.as_ref()),
        organization_unit: owned(wire.organization_unit.as_ref()),
        city: owned(wire.city.as_ref()),
        state: owned(wire.state.as_ref()),
        country: owned(wire.country.as_ref()),
    };
    let missing = [
        (SubjectField::CommonName, subject.common_name.is_empty()),
        (SubjectField::Organization, subject.organization.is_none()),
        (SubjectField::Country, subject.country.is_none()),
    ];
    for (field, _) in missing.into_iter().filter(|(_, missing)| *missing) {
        required(subject::path_of(field), findings);
    }
    // What is empty has been said above, in the words for what is required.
    let faults = subject.faults().into_iter().filter(|(_, fault)| *fault != NameFault::Empty);
    findings.extend(faults.map(|(field, fault)| subject::violation("", field, fault)));
    subject
}

/// A validity that has to be given.
fn valid_days(days: Option<i32>, findings: &mut Vec<Violation>) -> Option<u32> {
    const PATH: &str = "validDays";
    let Some(days) = days else {
        required(PATH, findings);
        return None;
    };
    let days = u32::try_from(days).ok().filter(|days| (1..=MAX_VALID_DAYS).contains(days));
    if days.is_none() {
        let message = format!("{PATH} must be from 1 to {MAX_VALID_DAYS}.");
        findings.push(Violation::at(PATH, Rule::InvalidValue, message));
    }
    days
}

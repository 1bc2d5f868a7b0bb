//! Keys and certificates that come from outside or go there: import, link, export, and the
//! response to a certification request.

use std::time::Instant;

use super::creation::{KeySpec, RingUpdate, no_provider, single_created};
use super::obtain::KeyMaterial;
use super::uploads::require_readable;
use super::{ExportedKeyPair, ImportKeyPair, InitialState, KeyCreated, Keyring, KidScheme, LinkKeyPair};
use crate::auth::{Caller, policy};
use crate::issuance::own_certificate;
use crate::provider::{Capabilities, ExistingKey, KeyProvider, KeyRef, ProviderError};
use crate::store::{CertificateReplacement, RotationSettingsChange};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::error::{Error, ErrorKind, Field, Reason};
use strongroom_domain::key::{
    CertificateDer, KeyOrigin, KeyPair, KeyState, KeyUse, ProviderKind, RingId, SignatureAlgorithm, SpkiDer,
};
use strongroom_formats::x509::{is_issued_by, public_key};

impl Keyring {
    /// Brings a key pair in and commits it as the Active key of a new ring.
    ///
    /// # Errors
    /// Those of [`Keyring::generate`], and `Invalid` at the key file when the provider refuses the key or a
    /// certificate cannot be shown.
    pub async fn import(&self, who: &Caller, new: ImportKeyPair) -> Result<KeyCreated, Error> {
        policy::allow(who, policy::Action::ImportKey, &new.ring)?;
        let update = RingUpdate::for_new_ring(new.ring, Instant::now() + new.deadline);
        let spec = KeySpec {
            initial_state: InitialState::Active,
            kid_scheme: KidScheme::Thumbprint,
            provider: new.provider,
            origin: KeyOrigin::Imported,
            key_use: KeyUse::Sign,
            algorithm: new.algorithm,
            signature_algorithm: new.signature_algorithm,
            permitted: new.permitted,
        };
        require_readable(&new.certificates, Field::KeyFile)?;
        require_certificate_for(new.certificates.first(), &new.spki, Field::KeyFile)?;
        let material = KeyMaterial::Import { pkcs8: new.pkcs8, spki: new.spki, certificates: new.certificates };
        self.create(who, update, spec, material).await
    }

    /// Takes a key that is already in the token as the Active key of a new ring.
    ///
    /// # Errors
    /// Those of [`Keyring::generate`]; `Invalid` at the private key when no single usable key
    /// matches or it is linked already, at its certificates when its key is another or it cannot be shown.
    pub async fn link(&self, who: &Caller, new: LinkKeyPair) -> Result<KeyCreated, Error> {
        policy::allow(who, policy::Action::LinkKey, &new.ring)?;
        let deadline = Instant::now() + new.deadline;
        // Before the token is asked: a replay needs no search.
        let claim = self.idempotency_claim(who);
        if let Some(before) = self.prior_result(claim.as_ref(), &new.ring).await? {
            return single_created(before);
        }
        require_readable(&new.certificates, Field::LinkedCertificates)?;
        let token = self.providers.token().ok_or_else(|| no_provider(ProviderKind::Hsm))?;
        let key = token.find(&new.selector).await.map_err(link_refused)?;
        require_certificate_for(new.certificates.first(), &key.spki, Field::LinkedCertificates)?;
        let permitted = permitted_algorithms(&key, token.as_ref());
        let update = RingUpdate::for_new_ring(new.ring, deadline);
        let spec = KeySpec {
            initial_state: InitialState::Active,
            kid_scheme: KidScheme::Thumbprint,
            provider: ProviderKind::Hsm,
            origin: KeyOrigin::Linked,
            key_use: KeyUse::Sign,
            algorithm: key.algorithm,
            signature_algorithm: permitted
                .first()
                .copied()
                .unwrap_or_else(|| key.algorithm.default_signature_algorithm()),
            permitted,
        };
        self.create(who, update, spec, KeyMaterial::Link { key, certificates: new.certificates }).await
    }

    /// The Active key pair of a ring, if its private half may leave.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `NotExportable` for keys in a token, `Conflict` for a suspended one.
    pub async fn exportable(&self, who: &Caller, ring: &RingId) -> Result<KeyPair, Error> {
        policy::allow(who, policy::Action::ExportKey, ring)?;
        let pair = self.active(who, ring).await?;
        if pair.state == KeyState::Suspended {
            return Err(Error::new(ErrorKind::Conflict, "the key is Suspended: it is not exported"));
        }
        // Keys in a token are never exported, whatever the token allows.
        if pair.provider == ProviderKind::Hsm { Err(not_exportable(ring)) } else { Ok(pair) }
    }

    /// Gives out the Active key pair of a ring, private half included.
    ///
    /// # Errors
    /// Those of [`Keyring::exportable`], `Damaged`.
    pub async fn export(&self, who: &Caller, ring: &RingId) -> Result<ExportedKeyPair, Error> {
        let pair = self.exportable(who, ring).await?;
        own_certificate(&pair)?;
        let exported = self.provider_of(&pair)?.export(&key_ref(&pair)?).await;
        let exported = exported.map_err(|failure| match failure {
            ProviderError::Unsupported(_) => not_exportable(ring).with_source(failure),
            other => other.into(),
        });
        let pkcs8 = self.audit_damage(who, &pair, exported).await?;
        // The audit event comes before the key leaves: an unaudited export must not exist.
        let event = self.event(who, Action::Exported, &pair, pair.provider.name().to_owned());
        self.store.record(&[event]).await?;
        Ok(ExportedKeyPair { pair, pkcs8 })
    }

    /// Replaces the certificates of a ring's Active key, leaf first. Rotation settings, which are for
    /// self-signed certificates, go with the last of these.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Invalid` at the issued certificates when the leaf's key is another or a
    /// certificate cannot be shown.
    pub async fn replace_certificates(
        &self,
        who: &Caller,
        ring: &RingId,
        chain: Vec<CertificateDer>,
    ) -> Result<KeyPair, Error> {
        policy::allow(who, policy::Action::ReplaceCertificates, ring)?;
        let pair = self.active(who, ring).await?;
        require_readable(&chain, Field::IssuedCertificates)?;
        require_certificate_for(chain.first(), &key_ref(&pair)?.spki, Field::IssuedCertificates)?;
        let detail = format!("{} certificates", chain.len());
        let event = self.event(who, Action::CertificatesReplaced, &pair, detail);
        let removal = Event {
            action: Action::SettingsRemoved,
            key: None,
            detail: "rotation settings: the certificate is no longer self-signed".to_owned(),
            ..event.clone()
        };
        let self_signed = chain.first().is_none_or(|leaf| is_issued_by(leaf, leaf));
        let rotation_settings =
            if self_signed { RotationSettingsChange::Keep } else { RotationSettingsChange::Remove(removal) };
        let replacement = CertificateReplacement { rotation_settings, ..CertificateReplacement::new(&pair, chain) };
        Ok(self.store.replace_certificates(replacement, &[event]).await?)
    }
}

fn key_ref(pair: &KeyPair) -> Result<KeyRef, Error> {
    KeyRef::of(pair).ok_or_else(|| internal("an Active key pair without a public half"))
}

fn not_exportable(ring: &RingId) -> Error {
    let message = format!("The private key of '{}' is held by the HSM, which gives no key out.", ring.name());
    Error::new(ErrorKind::NotExportable, message)
}

fn internal(why: &'static str) -> Error {
    Error::new(ErrorKind::Internal, "internal error").with_source(why)
}

/// Passes when the leaf certifies the key.
fn require_certificate_for(leaf: Option<&CertificateDer>, spki: &SpkiDer, field: Field) -> Result<(), Error> {
    if leaf.is_some_and(|leaf| public_key(leaf).is_ok_and(|certified| certified == *spki)) {
        return Ok(());
    }
    Err(Error::refused(field, Reason::CertificateMismatch))
}

/// Permitted algorithms of a linked key: the usual ones of its key algorithm that the provider supports.
fn permitted_algorithms(key: &ExistingKey, provider: &dyn KeyProvider) -> Vec<SignatureAlgorithm> {
    let capabilities = provider.capabilities();
    // A provider that reports nothing about the algorithm excludes nothing: the key has just signed.
    Capabilities::permitted(capabilities.as_ref(), key.algorithm, key.algorithm.default_signature_algorithm())
}

fn link_refused(failure: ProviderError) -> Error {
    let why = match &failure {
        ProviderError::KeyMissing => "the token has no private key of this id",
        ProviderError::Refused(why) => why,
        _ => return failure.into(),
    };
    let reason = Reason::KeyNotUsable((*why).to_owned());
    Error::refused(Field::PrivateKey, reason).with_source(failure)
}

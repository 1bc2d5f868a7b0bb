//! Obtains the key and the certificates of a reservation.

use std::time::Instant;

use async_trait::async_trait;

use super::creation::PlannedKey;
use super::reservation::{CommitInput, Reservation};
use super::{CertificateSpec, Keyring, KidScheme};
use crate::failpoint::{self, Failpoint};
use crate::issuance::{self, TbsSigner};
use crate::provider::{ExistingKey, GeneratedKey, KeyProvider, KeyRef, NewKey, ProviderError, SignInput};
use strongroom_domain::error::{Error, ErrorKind, Field, Reason};
use strongroom_domain::key::{CertificateDer, KeyPair, Kid, Signature, SignatureAlgorithm, SpkiDer, StoreId};
use strongroom_domain::secret::Secret;
use strongroom_formats::jose;

/// Origin of the private half and the certificates.
pub(super) enum KeyMaterial {
    /// The provider generates the key, or has generated it ahead; a self-signed certificate is issued if
    /// one is specified.
    Generate(Option<CertificateSpec>),
    /// The provider imports the key.
    Import { pkcs8: Secret, spki: SpkiDer, certificates: Vec<CertificateDer> },
    /// The key already exists in the token.
    Link { key: ExistingKey, certificates: Vec<CertificateDer> },
}

impl Keyring {
    /// Obtains the attested key and its certificates before the deadline.
    pub(super) async fn obtain(
        &self,
        reservation: &mut Reservation,
        PlannedKey { spec, material, provider }: PlannedKey,
        deadline: Instant,
    ) -> Result<CommitInput, Error> {
        failpoint::hit(Failpoint::GenerateReserve).await?;
        let pair = &reservation.pair;
        let key = new_key(pair, self.store.id(), deadline);
        // This future must not be dropped half-way: the key could appear after its reservation was
        // undone.
        let (GeneratedKey { spki, sealed, attestation }, certificates) = match material {
            KeyMaterial::Generate(spec) => {
                let made = if let (Some(spki), Some(attestation)) = (&pair.spki, reservation.attestation.take()) {
                    GeneratedKey { spki: spki.clone(), sealed: None, attestation }
                } else {
                    let made = provider.generate(key).await;
                    reservation.may_hold_key = made.as_ref().err().is_none_or(ProviderError::may_have_created_key);
                    made?
                };
                failpoint::hit(Failpoint::GenerateGenerate).await?;
                let certificate = match spec {
                    Some(spec) => Some(self.certify(&reservation.pair, &spec, &made, provider.as_ref()).await?),
                    None => None,
                };
                (made, certificate.into_iter().collect())
            }
            KeyMaterial::Import { pkcs8, spki, certificates } => {
                let taken = provider.import(key, pkcs8).await;
                reservation.may_hold_key = taken.as_ref().err().is_none_or(ProviderError::may_have_created_key);
                let taken = taken.map_err(import_refused)?;
                failpoint::hit(Failpoint::ImportImport).await?;
                if taken.spki != spki {
                    return Err(import_refused(ProviderError::Refused(
                        "its public half came out as another".to_owned(),
                    )));
                }
                (taken, certificates)
            }
            KeyMaterial::Link { key, certificates } => {
                (GeneratedKey { spki: key.spki, sealed: None, attestation: key.attestation }, certificates)
            }
        };
        if Instant::now() >= deadline {
            return Err(Error::new(ErrorKind::Deadline, "the deadline passed before the key pair was ready"));
        }
        let kid = self.new_kid(spec.kid_scheme, &spki)?;
        Ok(CommitInput { initial_state: spec.initial_state, kid, spki, sealed, certificates, attestation })
    }

    /// The kid of a key pair with this public half.
    pub(in crate::services) fn new_kid(&self, how: KidScheme, spki: &SpkiDer) -> Result<Kid, Error> {
        match how {
            KidScheme::Thumbprint => jose::thumbprint(spki)
                .map_err(|failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure)),
            KidScheme::Decimal => Ok(Kid::decimal(self.clock.now())?),
        }
    }

    /// A self-signed certificate for a key that was just made: TBS, signature, check.
    async fn certify(
        &self,
        pair: &KeyPair,
        spec: &CertificateSpec,
        made: &GeneratedKey,
        provider: &dyn KeyProvider,
    ) -> Result<CertificateDer, Error> {
        let prepared = issuance::prepare(spec, pair.signature_algorithm, made.spki.clone(), self.clock.now())?;
        failpoint::hit(Failpoint::GeneratePrepare).await?;
        let key = KeyRef {
            id: pair.id,
            locator: pair.locator.clone(),
            algorithm: pair.algorithm,
            spki: made.spki.clone(),
            sealed: made.sealed.clone(),
        };
        let issued = issuance::issue(prepared, &ProvidedKey { provider, key: &key }).await?;
        failpoint::hit(Failpoint::GenerateIssue).await?;
        let certificate = issuance::check(issued, &made.spki)?;
        failpoint::hit(Failpoint::GenerateCheck).await?;
        Ok(certificate)
    }
}

/// A key at its provider.
struct ProvidedKey<'a> {
    provider: &'a dyn KeyProvider,
    key: &'a KeyRef,
}

#[async_trait]
impl TbsSigner for ProvidedKey<'_> {
    async fn sign_tbs(&self, algorithm: SignatureAlgorithm, tbs: &[u8]) -> Result<Signature, Error> {
        Ok(self.provider.sign(self.key, algorithm, SignInput::Message(tbs.to_vec())).await?)
    }
}

/// The key of a reservation in this store; its generation must begin before `deadline`.
pub(in crate::services) fn new_key(pair: &KeyPair, store: StoreId, deadline: Instant) -> NewKey {
    NewKey {
        id: pair.id,
        locator: pair.locator.clone(),
        label: store.label(pair.id),
        algorithm: pair.algorithm,
        key_use: pair.key_use,
        deadline,
    }
}

/// Maps a provider's refusal of an imported key to a violation at the file.
fn import_refused(failure: ProviderError) -> Error {
    match failure {
        ProviderError::Refused(_) => Error::refused(Field::KeyFile, Reason::KeyNotAccepted).with_source(failure),
        other => other.into(),
    }
}

//! How a reserved key comes into its provider's hands, and to its certificates.

use std::time::Instant;

use super::creation::Member;
use super::reservation::{Finished, Reservation};
use super::{CertificateSpec, Keyring, NewKid};
use crate::failpoint::{self, Failpoint};
use crate::issuance;
use crate::provider::{FoundKey, GeneratedKey, KeyProvider, KeyRef, NewKey, ProviderError};
use strongroom_domain::error::{Error, Kind, Rule, Violation};
use strongroom_domain::key::{CertificateDer, KeyPair, Kid, SpkiDer, StoreId};
use strongroom_domain::secret::Secret;
use strongroom_formats::jose;

/// Where a key and its certificates come from.
pub(super) enum Source {
    /// The provider makes the key, or has made it ahead; its certificate is issued here, if there shall be one.
    Generate(Option<CertificateSpec>),
    /// The provider takes the key in.
    Import { pkcs8: Secret, spki: SpkiDer, certificates: Vec<CertificateDer> },
    /// The provider has had the key before.
    Found { key: FoundKey, certificates: Vec<CertificateDer> },
}

impl Keyring {
    /// The key with its certificates, in time and proven.
    pub(super) async fn obtain(
        &self,
        reservation: &mut Reservation,
        Member { wish, source, provider }: Member,
        deadline: Instant,
    ) -> Result<Finished, Error> {
        failpoint::hit(Failpoint::GenerateReserve).await?;
        let pair = &reservation.pair;
        let key = new_key(pair, self.store.id(), deadline);
        // Never dropped half-way: a key whose maker has gone would come after its undoing.
        let (GeneratedKey { spki, sealed, proof }, certificates) = match source {
            Source::Generate(spec) => {
                let made = if let (Some(spki), Some(proof)) = (&pair.spki, reservation.proof.take()) {
                    GeneratedKey { spki: spki.clone(), sealed: None, proof }
                } else {
                    let made = provider.generate(key).await;
                    reservation.may_hold_key = made.as_ref().err().is_none_or(ProviderError::may_have_made);
                    made?
                };
                failpoint::hit(Failpoint::GenerateGenerate).await?;
                let certificate = match spec {
                    Some(spec) => Some(self.certify(&reservation.pair, &spec, &made, provider.as_ref()).await?),
                    None => None,
                };
                (made, certificate.into_iter().collect())
            }
            Source::Import { pkcs8, spki, certificates } => {
                let taken = provider.import(key, pkcs8).await;
                reservation.may_hold_key = taken.as_ref().err().is_none_or(ProviderError::may_have_made);
                let taken = taken.map_err(refused_file)?;
                failpoint::hit(Failpoint::ImportImport).await?;
                if taken.spki != spki {
                    return Err(refused_file(ProviderError::Refused("its public half came out as another".to_owned())));
                }
                (taken, certificates)
            }
            Source::Found { key, certificates } => {
                (GeneratedKey { spki: key.spki, sealed: None, proof: key.proof }, certificates)
            }
        };
        if Instant::now() >= deadline {
            return Err(Error::new(Kind::Deadline, "the deadline passed before the key pair was ready"));
        }
        let kid = self.name(wish.kid, &spki)?;
        Ok(Finished { entry: wish.entry, kid, spki, sealed, certificates, proof })
    }

    /// What a key pair of this public half is called in JOSE.
    pub(super) fn name(&self, how: NewKid, spki: &SpkiDer) -> Result<Kid, Error> {
        match how {
            NewKid::Thumbprint => {
                jose::thumbprint(spki).map_err(|failure| Error::new(Kind::Internal, "internal error").because(failure))
            }
            NewKid::Decimal => Ok(Kid::decimal(self.clock.now())?),
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
        let issued = issuance::issue(prepared, provider, &key).await?;
        failpoint::hit(Failpoint::GenerateIssue).await?;
        let certificate = issuance::check(issued, &made.spki)?;
        failpoint::hit(Failpoint::GenerateCheck).await?;
        Ok(certificate)
    }
}

/// The key that a reservation in this store stands for, to be begun before `deadline`.
pub(super) fn new_key(pair: &KeyPair, store: StoreId, deadline: Instant) -> NewKey {
    NewKey {
        id: pair.id,
        locator: pair.locator.clone(),
        label: store.label(pair.id),
        algorithm: pair.algorithm,
        key_use: pair.key_use,
        deadline,
    }
}

/// What a provider says of a key that it does not take is about the file.
fn refused_file(failure: ProviderError) -> Error {
    match failure {
        ProviderError::Refused(_) => {
            let message = "The crypto provider does not accept this private key; \
                           an RSA key in an HSM must have the public exponent 65537.";
            Error::invalid(vec![Violation::at("fileData", Rule::InvalidValue, message)]).because(failure)
        }
        other => other.into(),
    }
}

//! Certification requests: each is a signature over what the key's certificate says, made once and then kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::find::missing;
use super::{Client, Signing, SigningKey, Target};
use crate::auth::{Principal, Scope};
use crate::error::{Error, Kind};
use crate::issuance::{own_certificate, prepare_request};
use crate::key::{CertificateDer, KeyId, SignatureAlgorithm, SpkiDer, State};

/// How many bytes of certification requests, and of what they were made of, are kept.
const KEPT: usize = 4 * 1024 * 1024;

impl Signing {
    /// A certification request (PKCS#10 in DER) for the subject and alternative names of a key's certificate, signed
    /// by the key. The signature takes a turn like any other; a kept request takes none.
    ///
    /// The scope is `read`: the text is this daemon's own, and says no more than the certificate does.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` also when the key has no certificate; `Conflict` when it signs no more or the kid is
    /// that of several; `Damaged`, `Busy`, `Deadline`, `ProviderUnavailable`.
    pub async fn certification_request(&self, client: &Client, target: &Target) -> Result<Arc<[u8]>, Error> {
        let (key, basis) = self.requestable(&client.who, target).await?;
        if let Some(request) = self.requests.get(&basis) {
            return Ok(request);
        }
        let place = self.admit(client, &key)?;
        let prepared = prepare_request(&basis.certificate, &basis.spki, basis.algorithm)?;
        let signature = self.made_by(client, &place, &key, basis.algorithm, prepared.message()).await?;
        let request: Arc<[u8]> = prepared.signed(&signature)?.into();
        self.requests.keep(basis, Arc::clone(&request));
        Ok(request)
    }

    /// The kept certification request of a key; `None` where [`Self::certification_request`] would make one.
    ///
    /// # Errors
    /// Those of [`Self::certification_request`] that come before a signature.
    pub async fn kept_certification_request(
        &self,
        who: &Principal,
        target: &Target,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let (_, basis) = self.requestable(who, target).await?;
        Ok(self.requests.get(&basis))
    }

    /// The key of a target, if a request can be made for it, and what that is made of.
    async fn requestable(&self, who: &Principal, target: &Target) -> Result<(Arc<SigningKey>, Basis), Error> {
        who.require(Scope::Read)?;
        let pair = self.pair(target).await?;
        if pair.state == State::Deactivated {
            return Err(Error::new(Kind::Conflict, "the key is Deactivated: it signs no requests"));
        }
        own_certificate(&pair)?;
        let certificate = pair.leaf().cloned().ok_or_else(|| {
            let why = "the key pair has no certificate from which a request could take its subject";
            Error::new(Kind::NotFound, why)
        })?;
        let key = SigningKey::of(&pair, false).ok_or_else(|| missing(target))?;
        key.is_there()?;
        self.holder(&key)?;
        let (id, spki, algorithm) = (key.key.id, key.key.spki.clone(), key.default);
        Ok((Arc::new(key), Basis { id, spki, algorithm, certificate }))
    }
}

/// Everything that a certification request is made of: one that was made of something else is another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    id: KeyId,
    spki: SpkiDer,
    algorithm: SignatureAlgorithm,
    certificate: CertificateDer,
}

/// The certification requests that were made last, one for each key, the oldest first.
#[derive(Default)]
pub(super) struct Requests(Mutex<VecDeque<(Basis, Arc<[u8]>)>>);

impl Requests {
    /// The request that was made of `basis`.
    fn get(&self, basis: &Basis) -> Option<Arc<[u8]>> {
        self.kept().iter().find(|(made_of, _)| made_of == basis).map(|(_, request)| Arc::clone(request))
    }

    /// Keeps a request in the place of the key's last one, and forgets the oldest ones past the bound.
    fn keep(&self, basis: Basis, request: Arc<[u8]>) {
        let size = |(made_of, request): &(Basis, Arc<[u8]>)| {
            made_of.certificate.as_bytes().len() + made_of.spki.as_bytes().len() + request.len()
        };
        let mut kept = self.kept();
        kept.retain(|(made_of, _)| made_of.id != basis.id);
        kept.push_back((basis, request));
        let mut bytes: usize = kept.iter().map(size).sum();
        while bytes > KEPT
            && let Some(oldest) = kept.pop_front()
        {
            bytes -= size(&oldest);
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Basis, Arc<[u8]>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

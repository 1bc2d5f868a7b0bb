//! Certification requests: each is a signature over what the key's certificate says, made once and then kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::find::missing;
use super::{Signing, SigningKey, Target};
use crate::auth::Caller;
use crate::auth::policy::{self, Action};
use crate::issuance::{own_certificate, prepare_request};
use crate::provider::SignInput;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{CertificateDer, KeyId, KeyState, SignatureAlgorithm, SpkiDer};

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
    pub async fn certification_request(&self, caller: &Caller, target: &Target) -> Result<Arc<[u8]>, Error> {
        let (key, basis) = self.requestable(caller, target).await?;
        if let Some(request) = self.requests.get(&basis) {
            return Ok(request);
        }
        let admission = self.admit(caller, &key)?;
        let prepared = prepare_request(&basis.certificate, &basis.spki, basis.algorithm)?;
        let message = SignInput::Message(prepared.message().to_vec());
        let signature = self.sign_admitted(caller, &admission, &key, basis.algorithm, message).await?;
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
        caller: &Caller,
        target: &Target,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let (_, basis) = self.requestable(caller, target).await?;
        Ok(self.requests.get(&basis))
    }

    /// The key of a target, if a request can be made for it, and what that is made of.
    async fn requestable(&self, caller: &Caller, target: &Target) -> Result<(Arc<SigningKey>, Basis), Error> {
        policy::may(caller, Action::RequestCertificate, Some(target.resource(None)))?;
        let pair = self.pair(target).await?;
        policy::allow(caller, Action::RequestCertificate, target.resource(pair.ring.as_ref()))?;
        if matches!(pair.state, KeyState::Deactivated | KeyState::Suspended | KeyState::Compromised) {
            return Err(Error::new(ErrorKind::Conflict, format!("the key is {}: it signs no requests", pair.state)));
        }
        own_certificate(&pair)?;
        let certificate = pair.leaf().cloned().ok_or_else(|| {
            let why = "the key pair has no certificate from which a request could take its subject";
            Error::new(ErrorKind::NotFound, why)
        })?;
        let key = SigningKey::of(&pair, false).ok_or_else(|| missing(target))?;
        key.check_present()?;
        self.provider_of(&key)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use strongroom_domain::clock::Timestamp;

    /// The SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4).
    fn spki(key: u8) -> SpkiDer {
        let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        SpkiDer::parse([&prefix[..], &[key; 32]].concat()).unwrap()
    }

    fn basis(certificate: &[u8]) -> Basis {
        let spki = spki(1);
        let (id, algorithm) = (KeyId::new(Timestamp::from_micros(1)).unwrap(), SignatureAlgorithm::ED25519);
        Basis { id, spki, algorithm, certificate: CertificateDer::from_stored(certificate.to_vec()) }
    }

    fn request(size: usize) -> Arc<[u8]> {
        vec![0; size].into()
    }

    #[test]
    fn kept_request_is_that_of_exactly_its_basis() {
        let (requests, first) = (Requests::default(), basis(b"first"));
        requests.keep(first.clone(), request(1));
        let certificate = CertificateDer::from_stored(b"second".to_vec());
        let renewed = Basis { certificate, ..first.clone() };
        let others = [
            renewed.clone(),
            basis(b"first"),
            Basis { spki: spki(2), ..first.clone() },
            Basis { algorithm: SignatureAlgorithm::ECDSA_SHA256, ..first.clone() },
        ];
        assert!(others.iter().all(|other| requests.get(other).is_none()));
        assert_eq!(requests.get(&first).unwrap().len(), 1);
        requests.keep(renewed.clone(), request(2));
        assert_eq!((requests.get(&first), requests.get(&renewed).unwrap().len()), (None, 2));
        assert_eq!(requests.kept().len(), 1, "one for each key");
    }

    #[test]
    fn oldest_requests_are_forgotten_past_the_bound() {
        let requests = Requests::default();
        let bases = [(); 5].map(|()| basis(b"certificate"));
        for basis in &bases {
            requests.keep(basis.clone(), request(KEPT / 3));
        }
        let kept = bases.each_ref().map(|basis| requests.get(basis).is_some());
        assert_eq!(kept, [false, false, false, true, true]);
        let large = basis(b"certificate");
        requests.keep(large.clone(), request(KEPT));
        assert_eq!((requests.get(&large), requests.kept().len()), (None, 0), "larger than the bound");
    }
}

//! One thread with one session: takes calls up and answers them.
//!
//! After any error the session is dropped, because the operation that failed may still be
//! active in it and the crate cannot cancel one. What another session does not cure makes
//! the host `Broken`, and the daemon replaces it.

use std::collections::HashMap;
use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::super::carried::Carried;
use super::super::protocol::{Call, Failure, FailureClass, FrameError, Generation, Outcome, Reply, Signing};
use super::keygen::Made;
use super::private_key::PrivateKey;
use super::queue::{Outbox, Queue};
use super::token::Token;
use super::{find, import, inventory, keygen, sealing, sign};
use crate::checkpoint;
use crate::config::Profile;
use crate::key::KeyAlgorithm;

/// Handles that a worker remembers; beyond it they are forgotten, and each is searched for again.
const MOST_KEYS: usize = 16_384;
/// Unexplained failures in a row after which even a token that answers is given up.
const PATIENCE: u32 = 5;

/// A worker of an open token.
pub(super) struct Worker {
    token: Arc<Token>,
    session: Option<Session>,
    keys: Keys,
    unexplained: u32,
}

/// Handles by `CKA_ID`.
type Keys = HashMap<Vec<u8>, Known>;

struct Known {
    key: KeyAlgorithm,
    spki: Vec<u8>,
    handle: ObjectHandle,
    /// Whether a signature has shown that it is the key that was meant.
    proven: bool,
}

impl Worker {
    /// A worker with a session of its own.
    ///
    /// # Errors
    /// When the token gives no session.
    pub(super) fn new(token: &Arc<Token>) -> Result<Self, Failure> {
        let session = Some(token.session()?);
        Ok(Self { token: Arc::clone(token), session, keys: Keys::new(), unexplained: 0 })
    }

    /// Answers calls until the daemon is gone.
    ///
    /// # Errors
    /// When replies cannot be sent any more.
    pub(super) fn serve(mut self, queue: &Queue, mut outbox: Outbox) -> Result<(), FrameError> {
        loop {
            let (number, call) = if let Some(next) = queue.poll() {
                next
            } else {
                outbox.send()?;
                queue.wait()
            };
            outbox.add(number, &Reply::Started)?;
            outbox.send()?;
            let reply = self.answer(call).map_or_else(Reply::Failed, Reply::Done);
            outbox.add(number, &reply)?;
        }
    }

    fn answer(&mut self, call: Call) -> Result<Outcome, Failure> {
        match call {
            Call::Sign(request) => self.sign(&request),
            Call::Generate(request) => self.generate(&request),
            Call::Prove { key, spki, trial } => self.prove(&key, &spki, trial),
            Call::Import { key, pkcs8 } => self.import(&key, &pkcs8),
            Call::Find { id, label } => self
                .keep(|token, session| find::find(token, session, id.as_deref(), label.as_deref()).map(Outcome::Found)),
            Call::Seal { label, context, secret } => self.keep(|token, session| {
                sealing::seal(token, session, &label, &context, secret.expose()).map(Outcome::Sealed)
            }),
            Call::Unseal { label, context, sealed } => self.keep(|token, session| {
                sealing::unseal(token, session, &label, &context, &sealed).map(Outcome::Unsealed)
            }),
            Call::FindSealingKey { label } => {
                self.keep(|_, session| sealing::is_there(session, &label).map(Outcome::SealingKey))
            }
            Call::Destroy { id, label } => {
                checkpoint::reach_blocking("host.destroy")?;
                self.keys.remove(&id);
                self.keep(|_, session| inventory::destroy(session, &id, &label)).map(Outcome::Removed)
            }
            Call::Inventory => self.keep(|_, session| inventory::inventory(session)).map(Outcome::Held),
            Call::RemoveBroken => match self.token.profile {
                Profile::Softhsm => self.keep(|_, session| inventory::remove_broken(session)).map(Outcome::Removed),
                Profile::Generic => Ok(Outcome::Removed(0)),
            },
            Call::Open(_) | Call::InitToken(_) => {
                Err(Failure::new(FailureClass::Unsupported, "the token is open already"))
            }
        }
    }

    fn sign(&mut self, request: &Signing) -> Result<Outcome, Failure> {
        sign::check(request)?;
        checkpoint::reach_blocking("host.sign")?;
        let signature = self.repeat(|token, session, keys| {
            let known = keys.get(&request.id).filter(|known| known.key == request.key && known.spki == request.spki);
            let handle = match known {
                Some(known) if known.proven => {
                    return sign::sign(session, known.handle, &token.mechanisms, request);
                }
                // The first signature of a handle proves that it is the key that was meant.
                Some(known) => known.handle,
                None => token.private_key(session, &request.id, request.key)?,
            };
            let signature = sign::sign(session, handle, &token.mechanisms, request)?;
            if !sign::verifies(request, &signature) {
                let detail = "the signature does not verify: another key has this CKA_ID, or the token errs";
                return Err(Failure::new(FailureClass::Refused, detail));
            }
            remember(keys, &request.id, Known { key: request.key, spki: request.spki.clone(), handle, proven: true });
            Ok(signature)
        })?;
        Ok(Outcome::Signed(signature))
    }

    fn prove(&mut self, request: &Generation, spki: &[u8], trial: bool) -> Result<Outcome, Failure> {
        let proof = self.repeat(|token, session, keys| {
            let handle = token.private_key(session, &request.id, request.algorithm)?;
            let proof = keygen::prove_anew(session, handle, &token.mechanisms, request, spki, trial)?;
            let known = Known { key: request.algorithm, spki: spki.to_vec(), handle, proven: trial };
            remember(keys, &request.id, known);
            Ok(proof)
        })?;
        Ok(Outcome::Proven(proof))
    }

    fn generate(&mut self, request: &Generation) -> Result<Outcome, Failure> {
        keygen::check(&self.token.mechanisms, request)?;
        checkpoint::reach_blocking("host.generate.before")?;
        self.make(request, |token, session| keygen::generate(session, &token.mechanisms, request))
    }

    fn import(&mut self, request: &Generation, pkcs8: &Carried) -> Result<Outcome, Failure> {
        keygen::check(&self.token.mechanisms, request)?;
        let key = PrivateKey::parse(request.algorithm, pkcs8.expose())?;
        self.make(request, |token, session| import::import(session, &token.mechanisms, request, &key))
    }

    /// Makes a key pair once. A failure leaves nothing in the token, or is `Broken`.
    fn make(
        &mut self,
        request: &Generation,
        act: impl Fn(&Token, &Session) -> Result<Made, Failure>,
    ) -> Result<Outcome, Failure> {
        match self.attempt(|token, session, _| act(token, session)) {
            Ok(made) => {
                // The certificate's signature comes next, and need not search for the key.
                let known =
                    Known { key: request.algorithm, spki: made.spki.clone(), handle: made.private, proven: true };
                remember(&mut self.keys, &request.id, known);
                Ok(Outcome::Generated { spki: made.spki, proof: made.proof })
            }
            Err(failure) => match self.keep(|_, session| inventory::destroy(session, &request.id, &request.label)) {
                Ok(_) => Err(failure),
                Err(left) => {
                    let detail = format!("{}; what it left was not removed: {}", failure.detail, left.detail);
                    Err(Failure::new(FailureClass::Broken, detail))
                }
            },
        }
    }

    /// Does what may be done twice, in a token that is known to be alive afterwards.
    fn keep<T>(&mut self, act: impl Fn(&Token, &Session) -> Result<T, Failure>) -> Result<T, Failure> {
        self.repeat(|token, session, _| {
            let outcome = act(token, session)?;
            if token.is_alive(session) {
                Ok(outcome)
            } else {
                Err(Failure::new(FailureClass::Broken, "the token has gone"))
            }
        })
    }

    /// Tries, and once more in a new session if the failure does not explain itself.
    fn repeat<T>(&mut self, act: impl Fn(&Token, &Session, &mut Keys) -> Result<T, Failure>) -> Result<T, Failure> {
        match self.attempt(&act) {
            Err(failure) if failure.class == FailureClass::Unavailable => {
                self.attempt(&act).map_err(|failure| self.judge(failure))
            }
            other => other,
        }
    }

    fn attempt<T>(&mut self, act: impl Fn(&Token, &Session, &mut Keys) -> Result<T, Failure>) -> Result<T, Failure> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.token.session()?,
        };
        let outcome = act(&self.token, &session, &mut self.keys);
        match &outcome {
            Ok(_) => {
                self.unexplained = 0;
                self.session = Some(session);
            }
            Err(failure) if failure.class == FailureClass::Unavailable => self.keys.clear(),
            Err(_) => {}
        }
        outcome
    }

    /// A failure that a new session did not cure: of this call, or of the whole host?
    fn judge(&mut self, failure: Failure) -> Failure {
        self.unexplained += 1;
        let alive = self.token.session().is_ok_and(|session| self.token.is_alive(&session));
        match failure.class {
            FailureClass::Unavailable if !alive || self.unexplained >= PATIENCE => {
                Failure { class: FailureClass::Broken, ..failure }
            }
            _ => failure,
        }
    }
}

fn remember(keys: &mut Keys, id: &[u8], known: Known) {
    if keys.len() >= MOST_KEYS {
        keys.clear();
    }
    keys.insert(id.to_vec(), known);
}

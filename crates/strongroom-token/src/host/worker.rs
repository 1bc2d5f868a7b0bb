//! One thread with one session: takes calls up and answers them.
//!
//! After any error the session is dropped, because the operation that failed may still be
//! active in it and the crate cannot cancel one. What another session does not cure makes
//! the host `Broken`, and the client replaces it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::objects::inventory;
use super::objects::private_key::PrivateKey;
use super::operations::keygen::TokenKeyPair;
use super::operations::{decrypt, find, import, keygen, sign};
use super::queue::{BatchLimits, Outbox, Queue};
use super::sealing;
use super::session::token::Token;
use crate::failpoint::{self, Failpoint};
use crate::frames::FrameError;
use crate::key::SignInput;
use crate::options::{Profile, SignatureVerification};
use crate::protocol::{
    Call, CallFailure, CallOutcome, DecryptCall, FailureClass, GenerateCall, Reply, SignCall, TokenTime,
};
use crate::wire_secret::WireSecret;
use strongroom_domain::key::KeyAlgorithm;

/// Handles that a worker remembers; beyond it they are forgotten, and each is searched for again.
const MOST_KEYS: usize = 16_384;
/// Unexplained failures in a row after which even a token that answers is given up.
const PATIENCE: u32 = 5;
/// How long a signature may wait for those made after it, to be sent in one write with them.
const SLICE: Duration = Duration::from_micros(400);
/// The same where four times as many wait: to them it makes little difference.
const LONG_SLICE: Duration = Duration::from_millis(4);
const MOST_AT_ONCE: usize = 16;
/// How often a batch says that it goes on.
const STILL_AT_IT: Duration = Duration::from_millis(100);

/// A worker of an open token.
pub(super) struct Worker {
    token: Arc<Token>,
    session: Option<Session>,
    keys: Keys,
    unexplained: u32,
    /// What the latest signature took.
    pace: Duration,
    verification: SignatureVerification,
    /// Signatures asked for.
    signed: u32,
    /// A signature by a key that has worked here.
    well_known: Option<SignCall>,
}

/// Handles by `CKA_ID`, each proven to be that of its public half.
type Keys = HashMap<Vec<u8>, CachedHandle>;

struct CachedHandle {
    key: KeyAlgorithm,
    spki: Vec<u8>,
    handle: ObjectHandle,
}

impl Worker {
    /// A worker with a session of its own.
    ///
    /// # Errors
    /// When the token gives no session.
    pub(super) fn new(token: &Arc<Token>, verification: SignatureVerification) -> Result<Self, CallFailure> {
        let session = Some(token.session()?);
        let (keys, well_known) = (Keys::new(), None);
        let token = Arc::clone(token);
        Ok(Self { token, session, keys, unexplained: 0, pace: SLICE, verification, signed: 0, well_known })
    }

    /// Answers calls until the client is gone. Quick signatures that queue are taken and
    /// answered several at a time.
    ///
    /// # Errors
    /// When calls cannot be read or replies not sent any more.
    pub(super) fn serve(mut self, queue: &Queue, mut outbox: Outbox) -> Result<(), FrameError> {
        loop {
            let calls = queue.take(self.batch_limits(), &mut outbox)?;
            let alone = matches!(calls.as_slice(), [(_, Call::Sign(_))]);
            let mut numbers: VecDeque<u64> = calls.iter().map(|(number, _)| *number).collect();
            let mut due = !(alone && outbox.is_empty());
            let mut told = Instant::now();
            for (number, call) in calls {
                if due {
                    for number in &numbers {
                        outbox.add(*number, &Reply::Started)?;
                    }
                    outbox.send()?;
                    told = Instant::now();
                }
                numbers.pop_front();
                let begun = Instant::now();
                let done = self.answer(number, call, &mut outbox)?;
                let time = TokenTime::of(begun.elapsed());
                outbox.add(number, &done.map_or_else(Reply::Failed, |outcome| Reply::Done(outcome, time)))?;
                // After a slow one, what it held up is sent, and the next has its own clock.
                due = told.elapsed() > LONG_SLICE;
            }
        }
    }

    fn batch_limits(&self) -> BatchLimits {
        let fit = |time: Duration| {
            let fit = time.as_micros() / self.pace.as_micros().max(1);
            usize::try_from(fit).unwrap_or(MOST_AT_ONCE).clamp(1, MOST_AT_ONCE)
        };
        BatchLimits { usual: fit(SLICE), of_many: fit(LONG_SLICE) }
    }

    fn answer(
        &mut self,
        number: u64,
        call: Call,
        outbox: &mut Outbox,
    ) -> Result<Result<CallOutcome, CallFailure>, FrameError> {
        match call {
            Call::Sign(request) => Ok(self.sign(&request).map(CallOutcome::Signed)),
            Call::SignBatch { first, rest } => self.sign_batch(number, first, rest, outbox),
            other => Ok(self.other_call(other)),
        }
    }

    /// Signs input by input; the hang clock starts again with each after a slow one.
    fn sign_batch(
        &mut self,
        number: u64,
        mut request: SignCall,
        rest: Vec<SignInput>,
        outbox: &mut Outbox,
    ) -> Result<Result<CallOutcome, CallFailure>, FrameError> {
        let mut signatures = Vec::with_capacity(1 + rest.len());
        let mut rest = rest.into_iter();
        let mut told = Instant::now();
        loop {
            match self.sign(&request) {
                Err(failure) if failure.class.is_about_host() => return Ok(Err(failure)),
                signed => signatures.push(signed),
            }
            let Some(input) = rest.next() else { return Ok(Ok(CallOutcome::SignedBatch(signatures))) };
            request.input = input;
            if told.elapsed() > STILL_AT_IT {
                outbox.add(number, &Reply::Started)?;
                outbox.send()?;
                told = Instant::now();
            }
        }
    }

    fn other_call(&mut self, call: Call) -> Result<CallOutcome, CallFailure> {
        match call {
            Call::Decrypt(request) => self.decrypt(&request),
            Call::Generate(request) => self.generate(&request),
            Call::Prove { key, spki, trial } => self.prove(&key, &spki, trial),
            Call::Import { key, pkcs8 } => self.import(&key, &pkcs8),
            Call::Find { id, label } => self.keep(|token, session| {
                find::find(token, session, id.as_deref(), label.as_deref()).map(CallOutcome::Found)
            }),
            Call::Seal { label, context, secret } => self.keep(|token, session| {
                sealing::seal(token, session, &label, &context, secret.expose()).map(CallOutcome::Sealed)
            }),
            Call::Unseal { label, context, sealed } => self.keep(|token, session| {
                sealing::unseal(token, session, &label, &context, &sealed).map(CallOutcome::Unsealed)
            }),
            Call::FindSealingKey { label } => {
                self.keep(|_, session| sealing::is_there(session, &label).map(CallOutcome::SealingKey))
            }
            Call::Destroy { id, label } => {
                failpoint::hit(Failpoint::Destroy)?;
                self.keys.remove(&id);
                self.keep(|_, session| inventory::destroy(session, &id, &label)).map(CallOutcome::Removed)
            }
            Call::Inventory => self.keep(|_, session| inventory::inventory(session)).map(CallOutcome::Held),
            Call::RemoveBroken => match self.token.profile {
                Profile::Softhsm => self.keep(|_, session| inventory::remove_broken(session)).map(CallOutcome::Removed),
                Profile::Generic => Ok(CallOutcome::Removed(0)),
            },
            Call::Open(_) | Call::Look(_) | Call::InitToken(_) | Call::Sign(_) | Call::SignBatch { .. } => {
                Err(CallFailure::new(FailureClass::Unsupported, "the token is open already"))
            }
        }
    }

    fn sign(&mut self, request: &SignCall) -> Result<Vec<u8>, CallFailure> {
        sign::check(request)?;
        failpoint::hit(Failpoint::Sign)?;
        let begun = Instant::now();
        self.signed = self.signed.wrapping_add(1);
        let verify = sign::is_verified(self.verification, self.signed);
        let signature = self.repeat(Some(request), |token, session, keys| {
            if let Some(handle) = recall(keys, &request.id, request.key, &request.spki) {
                let signature = sign::sign(session, handle, &token.mechanisms, request)?;
                if verify && !sign::verifies(request, &signature) {
                    let detail = "a signature does not verify, of a key that has signed rightly: the token errs";
                    return Err(CallFailure::new(FailureClass::WrongSignature, detail));
                }
                return Ok(signature);
            }
            // The first signature of a handle proves that it is the key that was meant.
            let handle = token.private_key(session, &request.id, request.key)?;
            let signature = sign::sign(session, handle, &token.mechanisms, request)?;
            if !sign::verifies(request, &signature) {
                let detail = "the signature does not verify: another key has this CKA_ID, or the token errs";
                return Err(CallFailure::new(FailureClass::Mismatched, detail));
            }
            remember(keys, &request.id, CachedHandle { key: request.key, spki: request.spki.clone(), handle });
            Ok(signature)
        })?;
        self.pace = begun.elapsed();
        if self.well_known.is_none() {
            self.well_known = Some(sign::own(request));
        }
        Ok(signature)
    }

    fn prove(&mut self, request: &GenerateCall, spki: &[u8], trial: bool) -> Result<CallOutcome, CallFailure> {
        let attestation = self.repeat(None, |token, session, keys| {
            let handle = token.private_key(session, &request.id, request.algorithm)?;
            let attestation = keygen::attest_again(token, session, handle, request, spki, trial)?;
            remember(keys, &request.id, CachedHandle { key: request.algorithm, spki: spki.to_vec(), handle });
            Ok(attestation)
        })?;
        Ok(CallOutcome::Proven(attestation))
    }

    fn decrypt(&mut self, request: &DecryptCall) -> Result<CallOutcome, CallFailure> {
        decrypt::check(request)?;
        failpoint::hit(Failpoint::Decrypt)?;
        let plaintext = self.repeat(None, |token, session, keys| {
            if let Some(handle) = recall(keys, &request.id, request.key, &request.spki) {
                return decrypt::decrypt(token, session, handle, request);
            }
            let handle = token.private_key(session, &request.id, request.key)?;
            decrypt::attest(session, handle, request.algorithm, &request.spki)?;
            remember(keys, &request.id, CachedHandle { key: request.key, spki: request.spki.clone(), handle });
            decrypt::decrypt(token, session, handle, request)
        })?;
        Ok(CallOutcome::Decrypted(plaintext))
    }

    fn generate(&mut self, request: &GenerateCall) -> Result<CallOutcome, CallFailure> {
        keygen::check(&self.token, request)?;
        failpoint::hit(Failpoint::GenerateBefore)?;
        self.make(request, |token, session| keygen::generate(token, session, request))
    }

    fn import(&mut self, request: &GenerateCall, pkcs8: &WireSecret) -> Result<CallOutcome, CallFailure> {
        keygen::check(&self.token, request)?;
        let key = PrivateKey::parse(request.algorithm, pkcs8.expose())?;
        self.make(request, |token, session| import::import(token, session, request, &key))
    }

    /// Makes a key pair once. A failure leaves nothing in the token, or is `Broken`.
    fn make(
        &mut self,
        request: &GenerateCall,
        act: impl Fn(&Token, &Session) -> Result<TokenKeyPair, CallFailure>,
    ) -> Result<CallOutcome, CallFailure> {
        match self.attempt(|token, session, _| act(token, session)) {
            Ok(made) => {
                // The certificate's signature comes next, and need not search for the key.
                let known = CachedHandle { key: request.algorithm, spki: made.spki.clone(), handle: made.private };
                remember(&mut self.keys, &request.id, known);
                Ok(CallOutcome::Generated { spki: made.spki, attestation: made.attestation })
            }
            Err(failure) => match self.keep(|_, session| inventory::destroy(session, &request.id, &request.label)) {
                Ok(_) => Err(failure),
                Err(left) => {
                    let detail = format!("{}; what it left was not removed: {}", failure.detail, left.detail);
                    Err(CallFailure::new(FailureClass::Broken, detail))
                }
            },
        }
    }

    /// Does what may be done twice, in a token that is known to be alive afterwards.
    fn keep<T>(&mut self, act: impl Fn(&Token, &Session) -> Result<T, CallFailure>) -> Result<T, CallFailure> {
        self.repeat(None, |token, session, _| {
            let outcome = act(token, session)?;
            if token.is_alive(session) {
                Ok(outcome)
            } else {
                Err(CallFailure::new(FailureClass::Broken, "the token has gone"))
            }
        })
    }

    /// Tries, and once more in a new session if the failure does not explain itself. `signing` is what
    /// is signed, if anything.
    fn repeat<T>(
        &mut self,
        signing: Option<&SignCall>,
        act: impl Fn(&Token, &Session, &mut Keys) -> Result<T, CallFailure>,
    ) -> Result<T, CallFailure> {
        match self.attempt(&act) {
            Err(failure) if failure.class == FailureClass::Unavailable => {
                self.attempt(&act).map_err(|failure| self.judge(failure, signing))
            }
            other => other,
        }
    }

    fn attempt<T>(
        &mut self,
        act: impl Fn(&Token, &Session, &mut Keys) -> Result<T, CallFailure>,
    ) -> Result<T, CallFailure> {
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
            // What was proven has to be proven again.
            Err(failure) if failure.class == FailureClass::WrongSignature => self.keys.clear(),
            Err(failure) if failure.class == FailureClass::Unavailable => self.keys.clear(),
            Err(_) => {}
        }
        outcome
    }

    /// A failure that a new session did not cure: of this call, or of the whole host?
    ///
    /// A token that answers is given up after several only if an operation of our own fails as well: an
    /// input that a token does not like, or a key that it cannot use, costs no host.
    fn judge(&mut self, failure: CallFailure, signing: Option<&SignCall>) -> CallFailure {
        if failure.class != FailureClass::Unavailable {
            return failure;
        }
        let session = self.token.session().ok().filter(|session| self.token.is_alive(session));
        let Some(session) = session else { return CallFailure { class: FailureClass::Broken, ..failure } };
        self.unexplained += 1;
        if self.unexplained < PATIENCE {
            return failure;
        }
        let own = signing.map(sign::own);
        let mut trials = own.iter().chain(&self.well_known);
        if trials.any(|trial| sign::works(&self.token, &session, trial)) {
            self.unexplained = 0;
            return failure;
        }
        CallFailure { class: FailureClass::Broken, ..failure }
    }
}

/// The proven handle of a key, if it is known.
fn recall(keys: &Keys, id: &[u8], key: KeyAlgorithm, spki: &[u8]) -> Option<ObjectHandle> {
    keys.get(id).filter(|known| known.key == key && known.spki == spki).map(|known| known.handle)
}

fn remember(keys: &mut Keys, id: &[u8], known: CachedHandle) {
    if keys.len() >= MOST_KEYS {
        keys.clear();
    }
    keys.insert(id.to_vec(), known);
}

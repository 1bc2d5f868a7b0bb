//! Opening a token without wasting its patience: PINs are looked up before a log-in and put on record before an attempt.
//!
//! A host tries only a PIN whose record the client gave it with leave to try. So a PIN that nobody has tried yet takes
//! two hosts: the first one says its hash, the second one logs in once the hash is on record.

use std::sync::Arc;

use super::first_call::{call_new_host, unavailable};
use super::process::HostProcess;
use crate::options::TokenOptions;
use crate::pin_memory::{FilePinMemory, PinAttempt, PinMemory, PinMemoryError, PinOutcome, PinRecord, PinVerdict};
use crate::protocol::{Call, CallFailure, FailureClass, KnownPin, OpenCall, Reply, TokenFacts};

/// How often a PIN is compared anew because others were recorded meanwhile.
const COMPARISONS: u32 = 4;

/// A host whose token is open.
type Opened = (HostProcess, TokenFacts);

/// Starts a process and opens the token in it. With `again`, a PIN that was refused is tried once more, if the token
/// shows no low count.
///
/// # Errors
/// What the host said, or that it did not say anything; `Unavailable` when the memory of PINs cannot be used.
pub(crate) async fn open(options: &TokenOptions, opening: OpenCall, again: bool) -> Result<Opened, CallFailure> {
    let memory: Arc<dyn PinMemory> =
        options.pins.clone().unwrap_or_else(|| Arc::new(FilePinMemory::new(&options.state_dir)));
    for _ in 0..COMPARISONS {
        let records = memory.recall().await.map_err(|failure| forgetful(&failure))?;
        let failure = match open_trusting(options, &opening, memory.as_ref(), &records).await {
            Err(failure) if matches!(failure.class, FailureClass::PinUntried | FailureClass::PinRemembered) => failure,
            outcome => return outcome,
        };
        let (Some(hash), Some(facts)) = (&failure.pin, &failure.facts) else { return Err(failure) };
        let token = facts.serial.clone();
        let own = |record: &&PinRecord| record.token == token;
        let compared = records.iter().filter(own).map(|record| record.hash.clone()).collect();
        let attempt =
            PinAttempt { token: token.clone(), hash: hash.clone(), compared, again: again && !facts.pin_count_low };
        match memory.begin(attempt).await.map_err(|failure| forgetful(&failure))? {
            PinVerdict::Granted => {
                let pin = KnownPin { token, hash: hash.clone(), may_try: true };
                return attempt_with(options, &opening, memory.as_ref(), pin).await;
            }
            PinVerdict::Refused => {
                let detail = "this PIN was refused before; it was not tried again".to_owned();
                return Err(CallFailure { class: FailureClass::PinRemembered, detail, ..failure });
            }
            PinVerdict::Busy => return Err(unavailable("another client is trying a PIN".to_owned())),
            PinVerdict::Unseen => {}
        }
    }
    Err(unavailable("others are trying PINs".to_owned()))
}

/// Opens the token if its PIN is one that has worked.
async fn open_trusting(
    options: &TokenOptions,
    opening: &OpenCall,
    memory: &dyn PinMemory,
    records: &[PinRecord],
) -> Result<Opened, CallFailure> {
    let mut known_pins = Vec::with_capacity(records.len());
    for record in records {
        let PinRecord { token, hash, worked } = record.clone();
        let attempt = PinAttempt { token: token.clone(), hash: hash.clone(), compared: Vec::new(), again: false };
        let may_try =
            worked && memory.begin(attempt).await.map_err(|failure| forgetful(&failure))? == PinVerdict::Granted;
        known_pins.push(KnownPin { token, hash, may_try });
    }
    let opened = call_open(options, OpenCall { known_pins, ..opening.clone() }).await;
    if let Err(CallFailure { class: FailureClass::PinRefused, pin: Some(hash), facts: Some(facts), .. }) = &opened {
        memory
            .end(facts.serial.clone(), hash.clone(), PinOutcome::Refused)
            .await
            .map_err(|failure| forgetful(&failure))?;
    }
    opened
}

/// Opens the token by a PIN whose attempt is granted, and records how that ended. The record of an attempt that was cut
/// short stays open.
async fn attempt_with(
    options: &TokenOptions,
    opening: &OpenCall,
    memory: &dyn PinMemory,
    pin: KnownPin,
) -> Result<Opened, CallFailure> {
    let (token, hash) = (pin.token.clone(), pin.hash.clone());
    let opened = call_open(options, OpenCall { known_pins: vec![pin], ..opening.clone() }).await;
    let outcome = match &opened {
        Ok(_) => PinOutcome::Worked,
        Err(failure) if failure.class == FailureClass::PinRefused => PinOutcome::Refused,
        // Nobody knows what a host did that did not answer.
        Err(failure) if failure.class == FailureClass::Unavailable && failure.pin.is_none() => return opened,
        Err(_) => PinOutcome::NotTried,
    };
    memory.end(token, hash, outcome).await.map_err(|failure| forgetful(&failure))?;
    opened
}

async fn call_open(options: &TokenOptions, opening: OpenCall) -> Result<Opened, CallFailure> {
    let (command, limit) = (&options.command, options.hosts.login_timeout);
    match call_new_host(command, &options.token.environment, &Call::Open(opening), limit).await? {
        (host, Reply::Ready(facts, _)) => Ok((host, *facts)),
        (_, other) => Err(unavailable(format!("the token host answered its opening with {other:?}"))),
    }
}

fn forgetful(failure: &PinMemoryError) -> CallFailure {
    unavailable(failure.to_string())
}

//! The module and the token in it: loading, selection, what the token says of itself.

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::{Slot, TokenInfo};

use super::error_text::describe;
use super::mechanism::{self, MechanismList};
use crate::protocol::{CallFailure, FailureClass, TokenFacts};
use crate::selector::TokenSelector;

/// Loads a module and initialises it for several threads.
///
/// # Errors
/// `ModuleUnloadable` when it is no module or does not start.
pub(super) fn load(path: &Path) -> Result<Pkcs11, CallFailure> {
    let failed = |error: Error| {
        CallFailure::new(FailureClass::ModuleUnloadable, format!("{}: {}", path.display(), describe(&error)))
    };
    let module = Pkcs11::new(path).map_err(failed)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(error) => Err(failed(error)),
    }
}

/// The one token that matches, never just the first.
///
/// A slot that does not answer cannot match; its error is told where nothing else does.
///
/// # Errors
/// `TokenAbsent`, or `TokenAmbiguous` naming every match.
pub(super) fn select(module: &Pkcs11, selector: &TokenSelector) -> Result<(Slot, TokenInfo), CallFailure> {
    let mut silent = Vec::new();
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for slot in module.get_slots_with_token()? {
        match module.get_token_info(slot) {
            Ok(info) if info.token_initialized() && matches(selector, slot, &info) => found.push((slot, info)),
            Ok(info) => others.extend(info.token_initialized().then(|| printable(info.label()))),
            Err(error) => silent.push(format!("slot {slot}: {}", describe(&error))),
        }
    }
    let listed: Vec<String> = found
        .iter()
        .map(|(slot, info)| {
            format!("slot {slot} label {:?} serial {:?}", printable(info.label()), printable(info.serial_number()))
        })
        .collect();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            silent.insert(0, format!("no initialised token has {selector}; {}", those_there(&others)));
            Err(CallFailure::new(FailureClass::TokenAbsent, silent.join("; ")))
        }
        _ => Err(CallFailure::new(
            FailureClass::TokenAmbiguous,
            format!("several tokens have {selector}: {}", listed.join("; ")),
        )),
    }
}

fn matches(selector: &TokenSelector, slot: Slot, info: &TokenInfo) -> bool {
    let is = |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|wanted| wanted == printable(actual));
    match selector {
        TokenSelector::Label(label) => printable(info.label()) == *label,
        TokenSelector::Serial(serial) => printable(info.serial_number()) == *serial,
        TokenSelector::SlotId(id) => slot.id() == *id,
        TokenSelector::Uri { token, serial, manufacturer, model } => {
            is(token, info.label())
                && is(serial, info.serial_number())
                && is(manufacturer, info.manufacturer_id())
                && is(model, info.model())
        }
    }
}

/// Every mechanism of the token with its flags and key sizes; those that the module will
/// not describe are left out.
///
/// # Errors
/// When the token does not answer.
pub(super) fn mechanisms(module: &Pkcs11, slot: Slot) -> Result<MechanismList, CallFailure> {
    let listed = module.get_mechanism_list(slot)?;
    Ok(listed.into_iter().filter_map(|kind| Some((kind, module.get_mechanism_info(slot, kind).ok()?))).collect())
}

/// What the client is told of the token.
pub(super) fn facts(slot: Slot, info: &TokenInfo, mechanisms: &MechanismList) -> TokenFacts {
    TokenFacts {
        slot: slot.id(),
        label: printable(info.label()),
        serial: printable(info.serial_number()),
        manufacturer: printable(info.manufacturer_id()),
        model: printable(info.model()),
        firmware: info.firmware_version().to_string(),
        mechanisms: mechanisms.iter().map(|(kind, _)| kind.to_string()).collect(),
        max_sessions: session_limit(info.max_session_count().into()),
        algorithms: mechanism::algorithms(mechanisms),
        decryptions: Vec::new(),
        sealing: mechanism::sealing(mechanisms),
        pin_count_low: info.user_pin_count_low(),
        pin_final_try: info.user_pin_final_try(),
        pin_locked: info.user_pin_locked(),
    }
}

/// The tokens that are there, for whoever named another.
fn those_there(labels: &[String]) -> String {
    if labels.is_empty() { "there is none".to_owned() } else { format!("there are {}", quoted(labels)) }
}

fn quoted(labels: &[String]) -> String {
    labels.iter().map(|label| format!("{label:?}")).collect::<Vec<_>>().join(", ")
}

/// A text of the token without the padding that modules take for it: PKCS#11 pads with blanks, tpm2-pkcs11
/// with zero bytes (1.9, 2026-11-28). What cannot be printed within it is shown by a substitute.
fn printable(text: &str) -> String {
    let text = text.trim_end_matches(['\0', ' ']);
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A limit of sessions that means one: modules give the largest numbers for no limit (openCryptoki 3.8.1
/// gives 2^64 - 2, 2026-11-28).
fn session_limit(said: Option<u64>) -> Option<u64> {
    said.filter(|limit| u32::try_from(*limit).is_ok())
}

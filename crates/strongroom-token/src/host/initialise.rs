//! Initialising a token for development (PKCS#11 sections 5.5.7 and 5.5.8).

use cryptoki::context::Pkcs11;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;

use super::module;
use super::session::login::{auth_pin, lock, read_pin};
use crate::protocol::{CallFailure, CallOutcome, FailureClass, InitialiseCall};
use crate::selector::TokenSelector;
use strongroom_domain::secret::Pin;

/// Initialises the token in the first slot whose token is not yet, unless one with the
/// label is there: an initialised token is never touched.
///
/// # Errors
/// What is wrong with module, PINs or token.
pub(super) fn initialise(request: &InitialiseCall) -> Result<CallOutcome, CallFailure> {
    let so_pin = read_pin(&request.so_pin)?;
    let pin = read_pin(&request.pin)?;
    let _lock = lock(&request.lock)?;
    let module = module::load(&request.module)?;
    match module::select(&module, &TokenSelector::Label(request.label.clone())) {
        // A crash came between the two initialisations.
        Ok((slot, info)) if !info.user_pin_initialized() => {
            set_pin(&module, slot, &so_pin, &pin)?;
            return Ok(CallOutcome::Initialised { serial: info.serial_number().to_owned(), now: true });
        }
        Ok((_, info)) => {
            return Ok(CallOutcome::Initialised { serial: info.serial_number().to_owned(), now: false });
        }
        Err(failure) if failure.class == FailureClass::TokenAbsent => {}
        Err(failure) => return Err(failure),
    }
    let slots = module.get_slots_with_token()?;
    let free = slots.into_iter().find(|slot| module.get_token_info(*slot).is_ok_and(|info| !info.token_initialized()));
    let Some(slot) = free else {
        return Err(CallFailure::new(FailureClass::TokenAbsent, "every token of the module is initialised already"));
    };
    module.init_token(slot, &auth_pin(&so_pin), &request.label)?;
    set_pin(&module, slot, &so_pin, &pin)?;
    let serial = module.get_token_info(slot)?.serial_number().to_owned();
    Ok(CallOutcome::Initialised { serial, now: true })
}

fn set_pin(module: &Pkcs11, slot: Slot, so_pin: &Pin, pin: &Pin) -> Result<(), CallFailure> {
    let session = module.open_rw_session(slot)?;
    session.login(UserType::So, Some(&auth_pin(so_pin)))?;
    session.init_pin(&auth_pin(pin))?;
    session.logout()?;
    Ok(())
}

//! The calls that stand under the rules.

use std::ffi::c_void;
use std::time::Duration;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_FLAGS, CK_FUNCTION_LIST, CK_INFO, CK_MECHANISM, CK_MECHANISM_INFO,
    CK_MECHANISM_TYPE, CK_NOTIFY, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID,
    CK_SLOT_INFO, CK_TOKEN_INFO, CK_ULONG, CK_USER_TYPE, CK_UTF8CHAR, CKR_FUNCTION_NOT_SUPPORTED, CKR_OK,
};

use crate::{log, rules};

/// Answers as the rules want, else as the real module does.
fn answer(function: &str, ask: impl FnOnce() -> CK_RV, spoil: impl FnOnce()) -> CK_RV {
    answer_with(function, None, ask, spoil)
}

/// The same for a call that names a mechanism.
fn answer_with(
    function: &str,
    mechanism: Option<CK_MECHANISM_TYPE>,
    ask: impl FnOnce() -> CK_RV,
    spoil: impl FnOnce(),
) -> CK_RV {
    let result = match rules::due(function, mechanism) {
        None => ask(),
        Some((fault, edition)) => {
            if let Some(delay) = fault.delay {
                std::thread::sleep(delay);
            }
            while fault.hang && rules::unchanged(edition) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if let Some(code) = fault.exit {
                std::process::exit(code);
            }
            let result = fault.instead.unwrap_or_else(ask);
            if fault.corrupt && result == CKR_OK {
                spoil();
            }
            let result = if result == CKR_OK { result } else { fault.error.unwrap_or(result) };
            fault.after.unwrap_or(result)
        }
    };
    log::call(function, result);
    result
}

macro_rules! intercepted {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        /// The functions of `real` with ours before them.
        pub(crate) fn over(real: &CK_FUNCTION_LIST) -> CK_FUNCTION_LIST {
            let mut list = *real;
            list.C_GetFunctionList = Some(crate::C_GetFunctionList);
            list.C_Sign = Some(C_Sign);
            list.C_SignInit = Some(C_SignInit);
            $(list.$name = Some($name);)*
            list
        }

        $(
            #[allow(non_snake_case, reason = "PKCS#11's own name")]
            unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
                let ask = || match crate::real().and_then(|list| list.$name) {
                    // SAFETY: the arguments go on as they came; the caller vouches for them.
                    Some(function) => unsafe { function($($arg),*) },
                    None => CKR_FUNCTION_NOT_SUPPORTED,
                };
                answer(stringify!($name), ask, || ())
            }
        )*
    };
}

intercepted! {
    C_Initialize(args: *mut c_void);
    C_Finalize(reserved: *mut c_void);
    C_GetInfo(info: *mut CK_INFO);
    C_GetSlotList(present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG);
    C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO);
    C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO);
    C_GetMechanismList(slot: CK_SLOT_ID, list: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG);
    C_GetMechanismInfo(slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO);
    C_InitToken(slot: CK_SLOT_ID, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG, label: *mut CK_UTF8CHAR);
    C_InitPIN(session: CK_SESSION_HANDLE, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG);
    C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, application: *mut c_void, notify: CK_NOTIFY, session: *mut CK_SESSION_HANDLE);
    C_CloseSession(session: CK_SESSION_HANDLE);
    C_GetSessionInfo(session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO);
    C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, pin_len: CK_ULONG);
    C_Logout(session: CK_SESSION_HANDLE);
    C_CreateObject(session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG, object: *mut CK_OBJECT_HANDLE);
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    C_GetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG);
    C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG);
    C_FindObjects(session: CK_SESSION_HANDLE, objects: *mut CK_OBJECT_HANDLE, room: CK_ULONG, count: *mut CK_ULONG);
    C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    C_DecryptInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Decrypt(session: CK_SESSION_HANDLE, input: *mut CK_BYTE, input_len: CK_ULONG, output: *mut CK_BYTE, output_len: *mut CK_ULONG);
    C_VerifyInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Verify(session: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG, signature: *mut CK_BYTE, signature_len: CK_ULONG);
    C_GenerateKey(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, template: *mut CK_ATTRIBUTE, count: CK_ULONG, key: *mut CK_OBJECT_HANDLE);
    C_GenerateKeyPair(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, public: *mut CK_ATTRIBUTE, public_count: CK_ULONG, private: *mut CK_ATTRIBUTE, private_count: CK_ULONG, public_key: *mut CK_OBJECT_HANDLE, private_key: *mut CK_OBJECT_HANDLE);
    C_WrapKey(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, wrapping: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE, output: *mut CK_BYTE, output_len: *mut CK_ULONG);
    C_UnwrapKey(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, wrapping: CK_OBJECT_HANDLE, input: *mut CK_BYTE, input_len: CK_ULONG, template: *mut CK_ATTRIBUTE, count: CK_ULONG, key: *mut CK_OBJECT_HANDLE);
    C_GenerateRandom(session: CK_SESSION_HANDLE, output: *mut CK_BYTE, output_len: CK_ULONG);
}

/// By hand: the one call whose output can be spoilt.
#[allow(non_snake_case, reason = "PKCS#11's own name")]
unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_len: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_len: *mut CK_ULONG,
) -> CK_RV {
    let ask = || match crate::real().and_then(|list| list.C_Sign) {
        // SAFETY: the arguments go on as they came; the caller vouches for them.
        Some(function) => unsafe { function(session, data, data_len, signature, signature_len) },
        None => CKR_FUNCTION_NOT_SUPPORTED,
    };
    let spoil = || {
        if !signature.is_null() {
            // SAFETY: not null, and the module has just written a signature of at least one byte there.
            unsafe { *signature ^= 0x01 };
        }
    };
    answer("C_Sign", ask, spoil)
}

/// By hand: rules may want one mechanism only.
#[allow(non_snake_case, reason = "PKCS#11's own name")]
unsafe extern "C" fn C_SignInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    let ask = || match crate::real().and_then(|list| list.C_SignInit) {
        // SAFETY: the arguments go on as they came; the caller vouches for them.
        Some(function) => unsafe { function(session, mechanism, key) },
        None => CKR_FUNCTION_NOT_SUPPORTED,
    };
    // SAFETY: null, or the caller's mechanism, which is valid for this call.
    let named = unsafe { mechanism.as_ref() }.map(|mechanism| mechanism.mechanism);
    answer_with("C_SignInit", named, ask, || ())
}

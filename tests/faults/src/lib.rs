//! A PKCS#11 module that stands before another one and fails on request.
//!
//! It copies the real module's `CK_FUNCTION_LIST`, answers the calls that a rule names
//! and forwards all else untouched. It knows PKCS#11 2.40 only and exports no
//! `C_GetInterface`. Three environment variables steer it:
//!
//! | variable | meaning |
//! |---|---|
//! | `STRONGROOM_FAULTS_MODULE` | path of the real module |
//! | `STRONGROOM_FAULTS_RULES` | file of rules, read again whenever it changes |
//! | `STRONGROOM_FAULTS_LOG` | file that gets one line a call: `pid function result` |
//!
//! `rules.rs` says what a rule looks like. Never in production, never in a benchmark:
//! each call costs a `stat` and a lock.

mod intercept;
mod log;
mod rules;

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::OnceLock;

use cryptoki_sys::{CK_C_GetFunctionList, CK_FUNCTION_LIST, CK_RV, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK};

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

const RTLD_NOW: c_int = 2;

/// The one function that a PKCS#11 2.40 module has to export (section 5.4).
///
/// # Safety
/// `list` must be valid for one write, as PKCS#11 demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    static FUNCTIONS: OnceLock<Option<CK_FUNCTION_LIST>> = OnceLock::new();
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    let Some(functions) = FUNCTIONS.get_or_init(|| real().map(intercept::over)) else {
        return CKR_GENERAL_ERROR;
    };
    // SAFETY: `list` is not null and the caller vouches for it; callers only read what it points to.
    unsafe { *list = std::ptr::from_ref(functions).cast_mut() };
    CKR_OK
}

/// The real module's functions, `None` when it cannot be loaded.
fn real() -> Option<&'static CK_FUNCTION_LIST> {
    static REAL: OnceLock<Option<&'static CK_FUNCTION_LIST>> = OnceLock::new();
    *REAL.get_or_init(|| {
        let Some(path) = std::env::var("STRONGROOM_FAULTS_MODULE").ok().and_then(|path| CString::new(path).ok()) else {
            eprintln!("fault module: STRONGROOM_FAULTS_MODULE does not name the real module");
            return None;
        };
        // SAFETY: both strings end in NUL; the library is never closed, so its functions stay valid.
        unsafe {
            let library = dlopen(path.as_ptr(), RTLD_NOW);
            if library.is_null() {
                eprintln!("fault module: {path:?} cannot be loaded");
                return None;
            }
            let entry = dlsym(library, c"C_GetFunctionList".as_ptr());
            let entry: CK_C_GetFunctionList = std::mem::transmute(entry);
            let mut list = std::ptr::null_mut();
            (entry?(&raw mut list) == CKR_OK).then_some(list.as_ref()).flatten()
        }
    })
}

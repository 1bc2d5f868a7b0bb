//! The call log: who called what, and what came of it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

use cryptoki_sys::CK_RV;

/// Appends `pid function result` to the log, if there is one.
pub(crate) fn call(function: &str, result: CK_RV) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = std::env::var_os("STRONGROOM_FAULTS_LOG")?;
        OpenOptions::new().create(true).append(true).open(path).ok()
    });
    if let Some(mut file) = file.as_ref() {
        // One write a line: several processes append to the same file.
        let line = format!("{} {function} {result:#x}\n", std::process::id());
        let _ = file.write_all(line.as_bytes());
    }
}

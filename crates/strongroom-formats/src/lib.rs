//! The formats of Strongroom, a key daemon for hardware security modules.
//!
//! Owns X.509 certificates and requests, JOSE keys and signatures, key files, and JSON as callers sent it. Does no
//! I/O and holds no state; everything that is parsed here may be hostile.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod jose;
pub mod json;
pub mod keyfile;
pub mod x509;

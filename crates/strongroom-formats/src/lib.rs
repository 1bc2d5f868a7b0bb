//! The formats of Strongroom, a key daemon for hardware security modules.
//!
//! Owns X.509 certificates and requests, JOSE keys and signatures, and key files. Does no
//! I/O and holds no state; everything that is parsed here may be hostile.

pub mod jose;
pub mod keyfile;
pub mod x509;

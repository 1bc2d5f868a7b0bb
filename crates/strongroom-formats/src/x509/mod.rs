//! X.509 without I/O: names, profiles, TBS bytes, signature identifiers, summaries.
//!
//! Owns what certificates and requests look like and what they say, and the armour that they
//! travel in. Does not own who signs them (`issuance` brings TBS bytes to a provider) or
//! where they are kept. The only room that touches the builder of x509-cert.
//!
//! Invariants: a TBS is assembled once; signatures in certificates are in X.509's form
//! (ECDSA as DER, RFC 3279 section 2.2.3); whatever is parsed here may be hostile.

mod algorithm;
mod ber;
mod bundle;
mod certificate_names;
mod check;
pub mod ecdsa;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod issuer;
mod key_facts;
mod name;
mod pem;
pub mod pem_reader;
mod pkcs7;
mod profile;
mod request;
mod san;
mod summary;
mod tbs;
#[cfg(test)]
mod tests;
mod verify;

pub use algorithm::{algorithm_of, rsa_algorithm, rsa_bits};
pub use ber::to_der;
pub use bundle::{ChainError, certificates, chain_among, chain_for, is_issued_by, public_key};
pub use certificate_names::CertificateNames;
pub use check::{CertificateFlaw, check};
pub use issuer::{Untrusted, check_ca, check_trust};
pub use key_facts::KeyFacts;
pub use name::{NameFault, Subject, SubjectField, one_line_subject};
pub use pem::{encode_pem, public_key_to_pem, request_to_pem, to_pem};
pub use pkcs7::certificates_only;
pub use profile::CertificateProfile;
pub use request::RequestInfo;
pub use san::{AlternativeName, InvalidAlternativeName};
pub use summary::{CertificateSummary, ParseError, check_readable, sha1_fingerprint, sha256_fingerprint};
pub use tbs::{EncodeError, SelfSigned, Tbs, encode};
pub use verify::{BadSignature, verify, verify_digest, verify_encoded};

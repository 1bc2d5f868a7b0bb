//! X.509 without I/O: names, profiles, TBS bytes, signature identifiers, summaries.
//!
//! Owns what certificates and requests look like and what they say, and the armour that they
//! travel in. Does not own who signs them (`issuance` brings TBS bytes to a provider) or
//! where they are kept. Certificates of others are read by `parsed`, never
//! by x509-cert, which refuses some that RFC 5280 allows.
//!
//! Invariants: a TBS is assembled once; signatures in certificates are in X.509's form
//! (ECDSA as DER, RFC 3279 section 2.2.3); whatever is parsed here may be hostile.

mod algorithm;
mod ber;
mod bundle;
mod certificate_names;
mod certificate_time;
mod chain;
mod check;
mod distinguished_name;
pub mod ecdsa;
mod foreign_key;
mod foreign_signature;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod interoperable;
mod issuance;
mod issuer;
mod key_facts;
mod name;
mod parsed;
mod pem;
pub mod pem_reader;
mod pkcs7;
mod profile;
mod request;
mod rsa_public;
mod san;
mod summary;
mod tbs;
#[cfg(test)]
mod tests;
pub(crate) mod tlv;
mod verify;

pub use algorithm::{algorithm_of, rsa_algorithm, rsa_bits};
pub use ber::to_der;
pub(crate) use bundle::{certificate, certificates_of, holds_certificates};
pub use bundle::{certificates, is_for_key, public_key};
pub use certificate_names::CertificateNames;
pub use chain::{Chain, ChainError, ChainWanted, chain_among, chain_for, chains_for};
pub use check::{CertificateFlaw, check};
pub use interoperable::check_interoperable;
pub use issuance::is_issued_by;
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

//! The fixture room: the real binary, a fresh token, and witnesses of another family.
//!
//! Owns the start and the end of daemons (`daemon`), the tokens that they work on
//! (`token`), the requests to them (`http`), the faults in their way (`faults`), and
//! what looks at the outcome without asking the daemon: `pkcs11-tool` and a probe at the
//! token, a read-only connection at the store (`rows`), openssl and JOSE libraries at certificates and signatures, golden
//! files at answers. Does not own expectations: those stand in the suites.
//!
//! Invariants: every test has its own directory, token and port; environment reaches
//! children only; every process dies with its test; a missing program fails the test
//! with the command that installs it; a failed test prints what its daemon logged.

mod agreement;
mod configuration;
mod daemon;
mod faults;
mod golden;
mod golden_files;
mod http;
mod lane;
mod openssl;
mod operations;
mod postgres;
mod programs;
mod remembered;
mod requests;
mod rows;
mod scratch;
mod signatures;
mod token;
mod views;
mod wait;

pub use agreement::{Agreement, agreement, agreement_within};
pub use configuration::{AUDITOR, Configuration};
pub use daemon::{Daemon, Launch};
pub use faults::Faults;
pub use golden::{golden, golden_with};
pub use golden_files::{GoldenFiles, responses};
pub use http::{Answer, Call, block_on};
pub use lane::on_postgres;
pub use openssl::{Certificate, keytool, openssl};
pub use operations::{Operation, operations};
pub use postgres::{Cluster, as_postgres, store_lines};
pub use programs::{built_beside_daemon, python, run};
pub use requests::{GENERATE, SIGNING, key_pair};
pub use rows::{plant_certificate, plant_document, rows, tamper, values};
pub use scratch::Scratch;
pub use signatures::{PublicKey, oracle};
pub use token::Token;
pub use views::view;
pub use wait::eventually;

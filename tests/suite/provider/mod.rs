//! The token provider against SoftHSM, through real token hosts.

mod algorithms;
mod batches;
mod bench;
mod decryption;
mod exchange;
mod hooked;
mod load;
mod recovery;
mod sealing;
mod tokens;

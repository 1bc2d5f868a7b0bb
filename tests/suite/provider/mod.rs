//! The token provider against SoftHSM, through real token hosts.

mod algorithms;
mod bench;
mod hooked;
mod load;
mod recovery;
mod sealing;
mod tokens;

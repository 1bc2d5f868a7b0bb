//! The smallest token host: a program that is nothing else.
//!
//! A program of its own calls [`strongroom_token::host::main`] in the same way, as its whole
//! `main` or behind an argument, before it starts threads or a runtime.

fn main() -> Result<(), strongroom_token::host::HostError> {
    strongroom_token::host::main()
}

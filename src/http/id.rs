//! Names of key pairs: what a client may choose, and what it gets when it does not.

use strongroom_domain::clock::{NoEntropy, random};

/// Words that are paths of their own beside ids in the PingFederate dialect.
const RESERVED: [&str; 4] = ["generate", "import", "link", "settings"];

/// What is wrong with an id, as a sentence that says what would be accepted.
pub(crate) fn fault(id: &str) -> Option<String> {
    let begins = id.starts_with(|first: char| first.is_ascii_alphanumeric());
    let fits = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !begins || !fits {
        return Some("id must be 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', the first a letter or digit.".to_owned());
    }
    RESERVED.contains(&id).then(|| format!("id must not be one of {}.", RESERVED.join(", ")))
}

/// A new id: 128 random bits in base 36, which is 25 characters of `0-9a-z`.
///
/// # Errors
/// When the system gives no random bytes.
pub(crate) fn generate() -> Result<String, NoEntropy> {
    Ok(base36(u128::from_be_bytes(random::<16>()?)))
}

fn base36(mut number: u128) -> String {
    let mut digits = [0_u8; 25];
    for digit in digits.iter_mut().rev() {
        let value = u8::try_from(number % 36).unwrap_or(0);
        *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        number /= 36;
    }
    digits.iter().copied().map(char::from).collect()
}

//! The key file: 32 random bytes in base64 or hex, for set-ups without a token.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use strongroom_domain::clock::random;
use strongroom_domain::secret::Secret;

const KEY_LEN: usize = 32;

/// Writes a new key to a file that must not be there, private to this user.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create(path: &Path) -> io::Result<()> {
    let key = Zeroizing::new(random::<KEY_LEN>().map_err(io::Error::other)?);
    let text = Zeroizing::new(format!("{}\n", STANDARD.encode(*key)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads the key.
///
/// # Errors
/// In a sentence: it cannot be read, others can read it, or it holds no key.
pub(super) fn read(path: &Path) -> Result<Secret, String> {
    let place = path.display();
    let unreadable = |failure: io::Error| format!("{place} cannot be read: {failure}");
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.mode() & 0o077 != 0 {
        return Err(format!("{place} can be read by other users; say chmod 600"));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(unreadable)?;
    decoded(text.trim_ascii()).ok_or_else(|| {
        format!("{place} holds no key of 32 bytes in base64 or hex; strongroom local new-key-file makes one")
    })
}

fn decoded(text: &str) -> Option<Secret> {
    let bytes = if text.len() == 2 * KEY_LEN { from_hex(text)? } else { STANDARD.decode(text).ok()? };
    let secret = Secret::new(bytes);
    (secret.expose().len() == KEY_LEN).then_some(secret)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

//! Bodies of the fuzz targets for tokens: `fuzz/` gives them bytes, and tests replay its seeds.
//!
//! Every function takes any bytes and panics where a property does not hold.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a property that does not hold ends the run")]

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frames::{FrameReader, append};
use crate::protocol::{Call, Reply};
use crate::{KeySelector, TokenSelector};

/// Frames between client and host: each that is read is written and read again as the same bytes.
///
/// The first byte is the length of the pieces in which the rest arrives.
pub fn host_frames(data: &[u8]) {
    let Some((&piece, stream)) = data.split_first() else { return };
    arrive::<Call>(stream, usize::from(piece) + 1);
    arrive::<Reply>(stream, usize::from(piece) + 1);
}

/// PKCS#11 URIs of tokens and keys, and `CKA_ID` in hex: each that is read names something.
pub fn pkcs11_uris(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(selector) = TokenSelector::from_uri(text) {
        assert!(matches!(&selector, TokenSelector::Uri { token, serial, .. } if token.is_some() || serial.is_some()));
        assert!(!selector.to_string().is_empty());
    }
    if let Ok(key) = text.parse::<KeySelector>() {
        assert!(key.locator.is_some() || key.label.is_some());
        if let Some(id) = key.locator {
            let hex = id.as_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            let Ok(again) = hex.parse::<KeySelector>() else { panic!("a CKA_ID cannot be read from its hex") };
            assert_eq!(again.locator, Some(id));
        }
    }
}

fn arrive<T: Serialize + DeserializeOwned>(mut stream: &[u8], most: usize) {
    let mut arriving = FrameReader::default();
    while !stream.is_empty() {
        let Ok(room) = arriving.spare() else { return };
        let length = room.len().min(stream.len()).min(most);
        assert_ne!(length, 0, "there is always room");
        let (now, later) = stream.split_at(length);
        room.iter_mut().zip(now).for_each(|(place, byte)| *place = *byte);
        stream = later;
        arriving.advance(length);
        loop {
            match arriving.next_frame::<T>() {
                Ok(Some((number, body))) => assert_same(number, &body),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Writes a frame, reads it and writes it again.
fn assert_same<T: Serialize + DeserializeOwned>(number: u64, body: &T) {
    let written = |number, body: &T| {
        let mut buffer = Vec::new();
        if let Err(failure) = append(&mut buffer, number, body) {
            panic!("a frame that was read cannot be written: {failure}");
        }
        buffer
    };
    let once = written(number, body);
    let mut arriving = FrameReader::default();
    let mut rest = once.as_slice();
    while !rest.is_empty() {
        let Ok(room) = arriving.spare() else { panic!("a frame that was written is too long") };
        let (now, later) = rest.split_at(room.len().min(rest.len()));
        room.iter_mut().zip(now).for_each(|(place, byte)| *place = *byte);
        rest = later;
        arriving.advance(now.len());
    }
    let Ok(Some((number, body))) = arriving.next_frame::<T>() else { panic!("a frame that was written is not read") };
    assert_eq!(written(number, &body), once);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn seeds_of_frames_and_uris_hold() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        for (target, body) in [("host_frames", super::host_frames as fn(&[u8])), ("pkcs11_uris", super::pkcs11_uris)] {
            let files: Vec<_> = fs::read_dir(seeds.join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty(), "{target}");
            for file in files {
                eprintln!("{}", file.display());
                body(&fs::read(file).unwrap());
            }
        }
    }
}

//! Identifiers: newtypes that exist only well formed.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::clock::{NoEntropy, Timestamp, random};

/// What a text or byte string should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct IdError(pub(crate) &'static str);

/// The identity of one key pair for ever: a `UUIDv7` (RFC 9562 section 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Uuid);

impl KeyId {
    /// A new id that sorts by `now`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(now: Timestamp) -> Result<Self, NoEntropy> {
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random::<10>()?).into_uuid()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let uuid = Uuid::try_parse(text).map_err(|_| IdError("a key id (UUID)"))?;
        if uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(IdError("a key id (UUID version 7)")) }
    }
}

/// The identity of a store, and so the owner named in every `CKA_LABEL` that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(Uuid);

impl StoreId {
    /// A new random store id (`UUIDv4`).
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> Result<Self, NoEntropy> {
        Ok(Self(uuid::Builder::from_random_bytes(random::<16>()?).into_uuid()))
    }

    /// The `CKA_LABEL` of a key of this store: `sr:{store id}:{key id}`.
    #[must_use]
    pub fn label(&self, key: KeyId) -> String {
        format!("sr:{self}:{key}")
    }

    /// The key that a `CKA_LABEL` of this store names; `None` for a foreign label.
    #[must_use]
    pub fn key_of_label(&self, label: &str) -> Option<KeyId> {
        label.strip_prefix("sr:")?.strip_prefix(&self.to_string())?.strip_prefix(':')?.parse().ok()
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for StoreId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| IdError("a store id (UUID)"))
    }
}

/// The public name of a key in JOSE (RFC 7517 section 4.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kid(String);

impl Kid {
    /// Takes 1 to 128 visible ASCII characters.
    ///
    /// # Errors
    /// When `text` is anything else.
    pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(IdError("a kid: 1 to 128 visible ASCII characters")) }
    }

    /// A new decimal number of 18 or 19 digits that grows with time: 41 bits of milliseconds since 2020, then 22
    /// random ones.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn decimal(now: Timestamp) -> Result<Self, NoEntropy> {
        const YEAR_2020: Timestamp = Timestamp::from_micros(1_577_836_800_000_000);
        let millis = u64::try_from(now.since(YEAR_2020).as_millis()).unwrap_or(0);
        let [a, b, c] = random::<3>()?;
        let noise = u64::from(u32::from_be_bytes([0, a & 0x3f, b, c]));
        Ok(Self(((millis & 0x1ff_ffff_ffff) << 22 | noise).to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client calls a key pair by: its id or its kid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyName {
    Id(KeyId),
    Kid(Kid),
}

impl FromStr for KeyName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self::Id).or_else(|_| Kid::parse(text).map(Self::Kid))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Kid(kid) => kid.fmt(f),
        }
    }
}

/// An opaque pointer to the private half inside its provider: the `CKA_ID` of a token's
/// key, the id of a sealed blob. Never an object handle.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locator(Vec<u8>);

impl Locator {
    /// A new locator: 16 random bytes, fixed at reservation.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> Result<Self, NoEntropy> {
        Ok(Self(random::<16>()?.to_vec()))
    }

    /// Takes 1 to 255 bytes that name a key already there.
    ///
    /// # Errors
    /// When there are none or too many.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        if (1..=255).contains(&bytes.len()) {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(IdError("a locator of 1 to 255 bytes"))
        }
    }

    /// The bytes: the `CKA_ID` for a key in a token.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locator({self})")
    }
}

/// A certificate serial number: 127 random bits, positive, never zero (RFC 5280
/// section 4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialNumber([u8; 16]);

impl SerialNumber {
    /// A new random serial number.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> Result<Self, NoEntropy> {
        let [first, rest @ ..] = random::<16>()?;
        let mut bytes = [0; 16];
        if let Some((head, tail)) = bytes.split_first_mut() {
            // Top bit clear: positive. Next bit set: always 16 bytes long, never zero.
            *head = (first & 0x7f) | 0x40;
            tail.copy_from_slice(&rest);
        }
        Ok(Self(bytes))
    }

    /// Big-endian bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

//! What a DER structure is, by its form.

use der::asn1::AnyRef;
use der::{Decode, Tag, Tagged};

/// Forms of DER, told apart by their first two elements.
#[derive(Clone, Copy)]
pub(super) enum KeyFileShape {
    Pkcs12,
    Pkcs8,
    EncryptedPkcs8,
    Pkcs1,
    Sec1,
}

impl KeyFileShape {
    /// `None` for what has none of these forms, or more or less than one whole structure.
    pub(super) fn detect(der: &[u8]) -> Option<Self> {
        let elements = Vec::<AnyRef<'_>>::from_der(der).ok()?;
        let [first, second, ..] = elements.as_slice() else { return None };
        match (first.tag(), second.tag()) {
            (Tag::Integer, Tag::Sequence) if first.value() == [3] => Some(Self::Pkcs12),
            (Tag::Integer, Tag::Sequence) => Some(Self::Pkcs8),
            (Tag::Sequence, Tag::OctetString) => Some(Self::EncryptedPkcs8),
            (Tag::Integer, Tag::Integer) => Some(Self::Pkcs1),
            (Tag::Integer, Tag::OctetString) => Some(Self::Sec1),
            _ => None,
        }
    }
}

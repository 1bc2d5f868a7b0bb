//! Properties of names for the fuzz target; see [`crate::fuzz`].

#![allow(clippy::panic, reason = "a property that does not hold ends the run")]

use der::asn1::AnyRef;
use der::{Decode as _, Encode as _};

use super::distinguished_name::DistinguishedName;
use super::tlv::Tlv;
use super::{AlternativeName, CertificateNames, CertificateProfile, Subject};

/// A name that was read is the same when it is read from its typed form, and from its DER.
pub(crate) fn alternative_name(text: &str) {
    let Ok(name) = text.parse::<AlternativeName>() else { return };
    assert_eq!(name.typed().parse().as_ref(), Ok(&name));
    let Ok(der) = name.to_general_name().and_then(|general| general.to_der()) else {
        panic!("{name:?} cannot be encoded")
    };
    assert_eq!(AnyRef::from_der(&der).ok().and_then(AlternativeName::of_general_name), Some(name));
}

/// A subject without fault, an attribute a line, can stand in a certificate of every profile.
pub(crate) fn subject(text: &str) {
    let mut lines = text.split('\n').map(str::to_owned);
    let subject = Subject {
        common_name: lines.next().unwrap_or_default(),
        organization: lines.next(),
        organization_unit: lines.next(),
        city: lines.next(),
        state: lines.next(),
        country: lines.next(),
    };
    if !subject.faults().is_empty() {
        return;
    }
    let names = CertificateNames::Given { subject, alternative_names: Vec::new() };
    for profile in [CertificateProfile::Signing, CertificateProfile::Connection, CertificateProfile::TlsServer] {
        match names.encode(profile) {
            Ok((encoded, _)) => distinguished_name(&encoded),
            Err(failure) => panic!("a subject without fault cannot be encoded: {failure}"),
        }
    }
}

/// The string of a distinguished name has no control character.
pub(crate) fn distinguished_name(der: &[u8]) {
    let Some(Ok(name)) = Tlv::only(der).map(DistinguishedName::parse) else { return };
    assert!(!name.to_text().chars().any(char::is_control));
}

//! The fields of a certificate that anybody may have made, each with the reason for which it cannot be read.
//!
//! Source: RFC 5280 section 4.1. What that allows is read, whether this daemon would write it or not.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_KEY_USAGE, ID_CE_SUBJECT_KEY_IDENTIFIER,
};
use der::Decode;
use spki::AlgorithmIdentifierOwned;

use super::ParseError;
use super::certificate_time::moment;
use super::distinguished_name::DistinguishedName;
use super::tlv::{BIT_STRING, BOOLEAN, CONTEXT, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Tlv};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::CertificateDer;

/// Longer serial numbers than any CA gives out: RFC 5280 section 4.1.2.2 has 20 octets, openssl writes 255 without a word.
const LONGEST_SERIAL: usize = 255;

/// A certificate in its parts.
#[derive(Debug)]
pub(super) struct ParsedCertificate<'a> {
    /// The bytes that are signed.
    pub(super) tbs: &'a [u8],
    /// 1, 2 or 3.
    pub(super) version: u32,
    /// Big-endian, in two's complement.
    pub(super) serial: &'a [u8],
    /// The algorithm of the signature inside of what is signed, in DER.
    pub(super) inner_algorithm: &'a [u8],
    pub(super) issuer: DistinguishedName<'a>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) subject: DistinguishedName<'a>,
    /// `SubjectPublicKeyInfo` in DER.
    pub(super) spki: &'a [u8],
    pub(super) has_unique_identifiers: bool,
    pub(super) extensions: Vec<ParsedExtension<'a>>,
    pub(super) signature_algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: &'a [u8],
}

/// An extension in its parts.
#[derive(Debug)]
pub(super) struct ParsedExtension<'a> {
    pub(super) id: ObjectIdentifier,
    /// The contents of its octet string.
    pub(super) value: &'a [u8],
    /// The whole extension in DER.
    pub(super) der: &'a [u8],
}

/// Whether a certificate is one of a certificate authority (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParsedConstraints {
    pub(super) is_ca: bool,
    /// As large as can be counted, where it is larger.
    pub(super) path_length: Option<usize>,
}

impl<'a> ParsedCertificate<'a> {
    pub(super) fn of(certificate: &'a CertificateDer) -> Result<Self, ParseError> {
        let parts = Tlv::only(certificate.as_bytes()).and_then(|whole| whole.elements(SEQUENCE));
        let Some([tbs, algorithm, signature]) = parts.as_deref() else {
            return Err(unreadable("it is no SEQUENCE of three"));
        };
        let mut fields =
            Fields(tbs.elements(SEQUENCE).ok_or_else(|| unreadable("tbsCertificate"))?.into_iter().peekable());
        let version = version(fields.next_if(CONTEXT[0]))?;
        let serial = serial(fields.next("serialNumber")?)?;
        let inner_algorithm = fields.next("signature")?.whole;
        let issuer =
            DistinguishedName::parse(fields.next("issuer")?).map_err(|why| unreadable(&format!("issuer: {why}")))?;
        let (not_before, not_after) = validity(fields.next("validity")?)?;
        let subject =
            DistinguishedName::parse(fields.next("subject")?).map_err(|why| unreadable(&format!("subject: {why}")))?;
        let spki = fields.next("subjectPublicKeyInfo")?.whole;
        let rest: Vec<_> = fields.0.collect();
        let extensions = extensions(rest.iter().find(|field| field.tag == CONTEXT[3]).copied())?;
        let signature_algorithm = AlgorithmIdentifierOwned::from_der(algorithm.whole)
            .map_err(|why| unreadable(&format!("signatureAlgorithm: {why}")))?;
        // The first byte counts unused bits.
        let signature = signature.contents_of(BIT_STRING).and_then(<[u8]>::split_first);
        let Some((0, signature)) = signature else {
            return Err(unreadable("signatureValue is no whole number of bytes"));
        };
        Ok(Self {
            tbs: tbs.whole,
            version,
            serial,
            inner_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            has_unique_identifiers: rest.iter().any(|field| field.tag != CONTEXT[3]),
            extensions,
            signature_algorithm,
            signature,
        })
    }

    /// The first extension of this identifier.
    pub(super) fn extension(&self, id: ObjectIdentifier) -> Option<&ParsedExtension<'a>> {
        self.extensions.iter().find(|extension| extension.id == id)
    }

    /// Basic constraints, where there are some.
    pub(super) fn constraints(&self) -> Result<Option<ParsedConstraints>, ParseError> {
        let Some(extension) = self.extension(ID_CE_BASIC_CONSTRAINTS) else { return Ok(None) };
        let unreadable = || unreadable("basicConstraints");
        let fields = Tlv::only(extension.value).and_then(|value| value.elements(SEQUENCE)).ok_or_else(unreadable)?;
        let (is_ca, rest) = match fields.as_slice() {
            [first, rest @ ..] if first.tag == BOOLEAN => (first.contents != [0], rest),
            all => (false, all),
        };
        let path_length = match rest {
            [] => None,
            [length] => Some(natural(length.contents_of(INTEGER).ok_or_else(unreadable)?).ok_or_else(unreadable)?),
            _ => return Err(unreadable()),
        };
        Ok(Some(ParsedConstraints { is_ca, path_length }))
    }

    /// Whether its key may sign certificates, as far as a key usage says so (RFC 5280 section 4.2.1.3).
    pub(super) fn may_sign_certificates(&self) -> Result<bool, ParseError> {
        const KEY_CERT_SIGN: u8 = 0x80 >> 5;
        let Some(extension) = self.extension(ID_CE_KEY_USAGE) else { return Ok(true) };
        let bits = Tlv::only(extension.value).and_then(|value| value.contents_of(BIT_STRING));
        let bits = bits.and_then(<[u8]>::split_first).ok_or_else(|| unreadable("keyUsage"))?.1;
        Ok(bits.first().is_some_and(|bits| bits & KEY_CERT_SIGN != 0))
    }

    /// The identifier of its own key (RFC 5280 section 4.2.1.2).
    pub(super) fn subject_key_id(&self) -> Option<&'a [u8]> {
        Tlv::only(self.extension(ID_CE_SUBJECT_KEY_IDENTIFIER)?.value)?.contents_of(OCTET_STRING)
    }

    /// The identifier of the key that signed it (RFC 5280 section 4.2.1.1).
    pub(super) fn authority_key_id(&self) -> Option<&'a [u8]> {
        const KEY_IDENTIFIER: u8 = 0x80;
        let fields = Tlv::only(self.extension(ID_CE_AUTHORITY_KEY_IDENTIFIER)?.value)?.elements(SEQUENCE)?;
        fields.into_iter().find_map(|field| field.contents_of(KEY_IDENTIFIER))
    }
}

/// The fields of a structure, one after the other.
struct Fields<'a, I: Iterator<Item = Tlv<'a>>>(std::iter::Peekable<I>);

impl<'a, I: Iterator<Item = Tlv<'a>>> Fields<'a, I> {
    fn next(&mut self, name: &str) -> Result<Tlv<'a>, ParseError> {
        self.0.next().ok_or_else(|| unreadable(&format!("it has no {name}")))
    }

    fn next_if(&mut self, tag: u8) -> Option<Tlv<'a>> {
        self.0.next_if(|field| field.tag == tag)
    }
}

fn version(field: Option<Tlv<'_>>) -> Result<u32, ParseError> {
    let Some(field) = field else { return Ok(1) };
    match Tlv::only(field.contents).and_then(|number| number.contents_of(INTEGER)) {
        Some([number @ 0..=2]) => Ok(u32::from(*number) + 1),
        _ => Err(unreadable("version: neither v1, v2 nor v3")),
    }
}

fn serial(field: Tlv<'_>) -> Result<&[u8], ParseError> {
    match field.contents_of(INTEGER) {
        None | Some([]) => Err(unreadable("serialNumber is no INTEGER")),
        Some(serial) if serial.len() > LONGEST_SERIAL => {
            Err(unreadable(&format!("serialNumber has {} octets, at most {LONGEST_SERIAL} are read", serial.len())))
        }
        Some(serial) => Ok(serial),
    }
}

fn validity(field: Tlv<'_>) -> Result<(Timestamp, Timestamp), ParseError> {
    let times = field.elements(SEQUENCE).ok_or_else(|| unreadable("validity"))?;
    let [not_before, not_after] = times.as_slice() else { return Err(unreadable("validity")) };
    let read = |time: &Tlv<'_>, name| moment(*time).map_err(|why| unreadable(&format!("{name}: {why}")));
    Ok((read(not_before, "notBefore")?, read(not_after, "notAfter")?))
}

fn extensions(field: Option<Tlv<'_>>) -> Result<Vec<ParsedExtension<'_>>, ParseError> {
    let Some(field) = field else { return Ok(Vec::new()) };
    let list = Tlv::only(field.contents).and_then(|list| list.elements(SEQUENCE));
    let list = list.ok_or_else(|| unreadable("extensions"))?;
    list.into_iter().map(|extension| self::extension(extension).ok_or_else(|| unreadable("extensions"))).collect()
}

/// `Extension`: an identifier, whether it is critical where it says so, and a value.
fn extension(whole: Tlv<'_>) -> Option<ParsedExtension<'_>> {
    let parts = whole.elements(SEQUENCE)?;
    let (id, value) = match parts.as_slice() {
        [id, value] => (id, value),
        [id, critical, value] if critical.tag == BOOLEAN => (id, value),
        _ => return None,
    };
    let id = ObjectIdentifier::from_bytes(id.contents_of(OBJECT_IDENTIFIER)?).ok()?;
    Some(ParsedExtension { id, value: value.contents_of(OCTET_STRING)?, der: whole.whole })
}

/// A number of any length that is not negative, as large as can be counted; `None` of anything else.
fn natural(integer: &[u8]) -> Option<usize> {
    if integer.first()? & 0x80 != 0 {
        return None;
    }
    let digit = |number: usize, byte: &u8| number.saturating_mul(256).saturating_add(usize::from(*byte));
    Some(integer.iter().fold(0, digit))
}

fn unreadable(what: &str) -> ParseError {
    ParseError(what.to_owned())
}

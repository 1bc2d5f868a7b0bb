//! Distinguished names as certificates hold them: shown to users, and compared.

use std::fmt::Write as _;

use const_oid::ObjectIdentifier;
use unicode_normalization::UnicodeNormalization as _;

use super::tlv::{OBJECT_IDENTIFIER, SEQUENCE, SET, Tlv};

const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// Attribute types with their names in Java and in openssl: those of RFC 2253 section 2.3, and what Java has besides.
const NAMED: [(ObjectIdentifier, &str, &str); 17] = [
    (ObjectIdentifier::new_unwrap("2.5.4.3"), "CN", "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.4"), "SURNAME", "SN"),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "SERIALNUMBER", "serialNumber"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C", "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L", "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST", "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "STREET", "street"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O", "O"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU", "OU"),
    (ObjectIdentifier::new_unwrap("2.5.4.12"), "T", "title"),
    (ObjectIdentifier::new_unwrap("2.5.4.42"), "GIVENNAME", "GN"),
    (ObjectIdentifier::new_unwrap("2.5.4.43"), "INITIALS", "initials"),
    (ObjectIdentifier::new_unwrap("2.5.4.44"), "GENERATION", "generationQualifier"),
    (ObjectIdentifier::new_unwrap("2.5.4.46"), "DNQ", "dnQualifier"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID", "UID"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC", "DC"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1"), "EMAILADDRESS", "emailAddress"),
];

/// A name as it is encoded (RFC 5280 section 4.1.2.4).
#[derive(Clone, Debug)]
pub(super) struct DistinguishedName<'a> {
    /// The whole name in DER.
    pub(super) der: &'a [u8],
    /// Each part is a set of attributes.
    parts: Vec<Vec<NameAttribute<'a>>>,
}

#[derive(Clone, Copy, Debug)]
struct NameAttribute<'a> {
    id: ObjectIdentifier,
    value: Tlv<'a>,
}

/// A name in the form in which names are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ComparableName(Vec<Vec<(ObjectIdentifier, ComparableValue)>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ComparableValue {
    Text(String),
    /// What is no text is compared byte by byte.
    Der(Vec<u8>),
}

impl<'a> DistinguishedName<'a> {
    /// Reads `Name`; the reason for which it cannot be read.
    pub(super) fn parse(name: Tlv<'a>) -> Result<Self, String> {
        let part =
            |part: Tlv<'a>| part.elements(SET)?.into_iter().map(NameAttribute::parse).collect::<Option<Vec<_>>>();
        let parts = name.elements(SEQUENCE).and_then(|parts| parts.into_iter().map(part).collect::<Option<Vec<_>>>());
        let parts = parts.ok_or("it is no SEQUENCE of sets of attributes")?;
        Ok(Self { der: name.whole, parts })
    }

    /// The form that is the same for names that are equal by RFC 5280 section 7.1: letters of either case, string types
    /// and runs of blanks make no difference.
    pub(super) fn comparable(&self) -> ComparableName {
        let of = |part: &Vec<NameAttribute<'_>>| {
            let mut part: Vec<_> = part.iter().map(|attribute| (attribute.id, comparable(attribute.value))).collect();
            part.sort();
            part
        };
        ComparableName(self.parts.iter().map(of).collect())
    }

    /// The reverse of the encoded order, comma and blank between, values escaped by RFC 2253 section 2.4.
    ///
    /// Attributes without a name here are written as dotted object identifier and `#` with the hex of their DER, and so
    /// are values that are no text.
    pub(super) fn to_text(&self) -> String {
        let part = |part: &Vec<NameAttribute<'_>>| part.iter().map(|each| each.to_text()).collect::<Vec<_>>().join("+");
        self.parts.iter().rev().map(part).collect::<Vec<_>>().join(", ")
    }

    /// Openssl's form of one line, in the encoded order: `/C=US/CN=Example`, values unescaped.
    pub(super) fn to_one_line(&self) -> String {
        let part = |attribute: &NameAttribute<'_>| {
            let name = NAMED.iter().find(|(id, ..)| *id == attribute.id);
            let name = name.map_or_else(|| attribute.id.to_string(), |(_, _, name)| (*name).to_owned());
            format!("/{name}={}", text(attribute.value).unwrap_or_else(|| hex(attribute.value)))
        };
        self.parts.iter().flatten().map(part).collect()
    }
}

impl<'a> NameAttribute<'a> {
    fn parse(attribute: Tlv<'a>) -> Option<Self> {
        let fields = attribute.elements(SEQUENCE)?;
        let [id, value] = fields.as_slice() else { return None };
        let id = ObjectIdentifier::from_bytes(id.contents_of(OBJECT_IDENTIFIER)?).ok()?;
        Some(Self { id, value: *value })
    }

    fn to_text(self) -> String {
        match NAMED.iter().find(|(id, ..)| *id == self.id) {
            Some((_, name, _)) => {
                let value = text(self.value).map_or_else(|| hex(self.value), |text| escape(&text));
                format!("{name}={value}")
            }
            None => format!("{}={}", self.id, hex(self.value)),
        }
    }
}

/// The text of a value, of the types that occur; those of one byte for each character only in ASCII, since beyond it
/// their writers did not agree.
fn text(value: Tlv<'_>) -> Option<String> {
    let utf8 = || String::from_utf8(value.contents.to_vec()).ok();
    match value.tag {
        UTF8_STRING => utf8(),
        NUMERIC_STRING | PRINTABLE_STRING | TELETEX_STRING | IA5_STRING | VISIBLE_STRING => {
            utf8().filter(|text| text.is_ascii())
        }
        BMP_STRING => {
            let (units, rest) = value.contents.as_chunks();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            rest.is_empty().then(|| char::decode_utf16(units).collect::<Result<_, _>>().ok())?
        }
        UNIVERSAL_STRING => {
            let (characters, rest) = value.contents.as_chunks();
            let characters = characters.iter().map(|each| char::from_u32(u32::from_be_bytes(*each)));
            rest.is_empty().then(|| characters.collect::<Option<_>>())?
        }
        _ => None,
    }
}

fn comparable(value: Tlv<'_>) -> ComparableValue {
    // Who wrote more than ASCII into a TeletexString mostly meant Latin-1, as openssl reads it.
    let latin_1 = || (value.tag == TELETEX_STRING).then(|| value.contents.iter().copied().map(char::from).collect());
    let Some(text) = text(value).or_else(latin_1) else { return ComparableValue::Der(value.whole.to_vec()) };
    // Upper case first, so that letters without an upper case of their own fold as well.
    let folded: String = text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
    ComparableValue::Text(folded.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn hex(value: Tlv<'_>) -> String {
    let mut text = String::from("#");
    for byte in value.whole {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (index, char) in value.chars().enumerate() {
        let special = match char {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => index == 0 || index == last,
            '#' => index == 0,
            _ => false,
        };
        if char.is_control() {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(escaped, "\\{byte:02X}");
            }
            continue;
        }
        if special {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

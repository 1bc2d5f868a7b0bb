use const_oid::ObjectIdentifier;
use der::asn1::{Any, AnyRef, BmpString};
use der::{Decode, Encode, Tag};
use proptest::prelude::*;
use proptest::string::string_regex;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use crate::x509::distinguished_name::DistinguishedName;
use crate::x509::tlv::Tlv;
use crate::x509::{AlternativeName, InvalidAlternativeName, NameFault, Subject, SubjectField};

fn subject() -> Subject {
    Subject {
        common_name: "Example".to_owned(),
        organization: Some("Strongroom".to_owned()),
        organization_unit: None,
        city: None,
        state: None,
        country: Some("AT".to_owned()),
    }
}

#[test]
fn bounds_of_a_subject_are_those_of_x_520() {
    let some = |length| Some("ü".repeat(length));
    let longest = Subject {
        common_name: "ü".repeat(64),
        organization: some(64),
        organization_unit: some(64),
        city: some(128),
        state: some(128),
        country: Some("US".to_owned()),
    };
    assert_eq!(longest.faults(), []);
    let too_long = Subject {
        common_name: "ü".repeat(65),
        organization: some(65),
        organization_unit: some(65),
        city: some(129),
        state: some(129),
        country: Some("USA".to_owned()),
    };
    let expected = [
        (SubjectField::Country, NameFault::Invalid),
        (SubjectField::State, NameFault::TooLong(128)),
        (SubjectField::City, NameFault::TooLong(128)),
        (SubjectField::Organization, NameFault::TooLong(64)),
        (SubjectField::OrganizationUnit, NameFault::TooLong(64)),
        (SubjectField::CommonName, NameFault::TooLong(64)),
    ];
    assert_eq!(too_long.faults(), expected);
}

#[test]
fn absent_fields_are_no_fault_and_blank_ones_are() {
    let only_a_name = Subject { common_name: "x".to_owned(), ..Subject::default() };
    assert_eq!(only_a_name.faults(), []);
    assert_eq!(Subject::default().faults(), [(SubjectField::CommonName, NameFault::Empty)]);
    let blank = Subject { city: Some(" \t".to_owned()), country: Some(String::new()), ..only_a_name };
    assert_eq!(blank.faults(), [(SubjectField::Country, NameFault::Empty), (SubjectField::City, NameFault::Empty)]);
}

#[test]
fn control_characters_and_other_countries_are_invalid() {
    for name in ["a\0b", "a\nb", "a\u{7f}", "a\u{85}"] {
        let subject = Subject { common_name: name.to_owned(), ..subject() };
        assert_eq!(subject.faults(), [(SubjectField::CommonName, NameFault::Invalid)], "{name:?}");
    }
    for country in ["A", "A1", "öö", "A ", "AUT"] {
        let subject = Subject { country: Some(country.to_owned()), ..subject() };
        assert_eq!(subject.faults(), [(SubjectField::Country, NameFault::Invalid)], "{country:?}");
    }
}

fn name_of(rdns: &[&[(&str, Any)]]) -> Name {
    let mut sequence = RdnSequence::default();
    for rdn in rdns {
        let attributes: Vec<_> = rdn
            .iter()
            .map(|(oid, value)| AttributeTypeAndValue { oid: ObjectIdentifier::new_unwrap(oid), value: value.clone() })
            .collect();
        sequence.push(RelativeDistinguishedName::try_from(attributes).unwrap());
    }
    Name::from_der(&sequence.to_der().unwrap()).unwrap()
}

fn distinguished_name(name: &Name) -> String {
    let der = name.to_der().unwrap();
    DistinguishedName::parse(Tlv::only(&der).unwrap()).unwrap().to_text()
}

fn text(tag: Tag, bytes: &[u8]) -> Any {
    Any::new(tag, bytes).unwrap()
}

#[test]
fn values_are_escaped_by_rfc_2253() {
    let rows = [
        ("plain", "plain"),
        ("Sue, Grabbit and Runn", r"Sue\, Grabbit and Runn"),
        (r#"a+b"c\d<e>f;g"#, r#"a\+b\"c\\d\<e\>f\;g"#),
        (" both ends ", r"\ both ends\ "),
        ("  ", r"\ \ "),
        (" ", r"\ "),
        ("#1 of #2", r"\#1 of #2"),
        ("a=b", "a=b"),
        ("Lučić", "Lučić"),
        ("a\rb\u{85}", r"a\0Db\C2\85"),
        ("", ""),
    ];
    for (value, escaped) in rows {
        let name = name_of(&[&[("2.5.4.3", text(Tag::Utf8String, value.as_bytes()))]]);
        assert_eq!(distinguished_name(&name), format!("CN={escaped}"));
    }
}

#[test]
fn attributes_without_a_name_and_values_that_are_no_text_are_hex() {
    let bmp = BmpString::from_utf8("Zoë").unwrap();
    let name = name_of(&[
        &[("2.5.4.6", text(Tag::PrintableString, b"AT"))],
        &[("2.5.4.10", text(Tag::TeletexString, b"Teletex")), ("2.5.4.11", text(Tag::TeletexString, b"\xe4"))],
        &[("2.5.4.65", text(Tag::Ia5String, b"example"))],
        &[("2.5.4.7", Any::encode_from(&bmp).unwrap())],
        &[("2.5.4.8", text(Tag::Utf8String, b"\xff"))],
        &[("1.2.840.113549.1.9.1", text(Tag::Ia5String, b"a@example.com"))],
        &[("2.5.4.3", text(Tag::Integer, b"\x07"))],
    ]);
    let expected = "CN=#020107, EMAILADDRESS=a@example.com, ST=#0c01ff, L=Zoë, \
                    2.5.4.65=#16076578616d706c65, OU=#1401e4+O=Teletex, C=AT";
    let seen = distinguished_name(&name);
    assert!(seen == expected || seen == expected.replace("OU=#1401e4+O=Teletex", "O=Teletex+OU=#1401e4"), "{seen}");
    assert_eq!(distinguished_name(&name_of(&[])), "");
}

/// Reads the string form back by the letter of RFC 2253 section 3, knowing nothing of how
/// it was written but the blank after a comma.
fn read_back(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![(String::new(), Vec::new())];
    let mut in_value = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let (key, value) = parts.last_mut().unwrap();
        match byte {
            b'=' if !in_value => in_value = true,
            _ if !in_value => key.push(char::from(byte)),
            b'\\' => {
                let next = bytes.next().unwrap();
                let is_hex = next.is_ascii_hexdigit();
                let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
                value.push(if is_hex { digit(next) * 16 + digit(bytes.next().unwrap()) } else { next });
            }
            b',' => {
                assert_eq!(bytes.next(), Some(b' '));
                parts.push((String::new(), Vec::new()));
                in_value = false;
            }
            other => value.push(other),
        }
    }
    parts.into_iter().map(|(key, value)| (key, String::from_utf8(value).unwrap())).collect()
}

#[test]
fn alternative_names_of_every_form_are_parsed() {
    use AlternativeName::{Dns, Email, Uri};
    let rows = [
        ("example.com", Dns("example.com".into())),
        ("localhost", Dns("localhost".into())),
        ("*.example.com", Dns("*.example.com".into())),
        ("xn--bcher-kva.example", Dns("xn--bcher-kva.example".into())),
        ("3com.com", Dns("3com.com".into())),
        ("192.168.0.1", AlternativeName::Ip("192.168.0.1".parse().unwrap())),
        ("::1", AlternativeName::Ip("::1".parse().unwrap())),
        ("2001:DB8::7", AlternativeName::Ip("2001:db8::7".parse().unwrap())),
        ("first.last+tag@example.com", Email("first.last+tag@example.com".into())),
        ("root@localhost", Email("root@localhost".into())),
        ("https://example.com:8443/a?b=c#d", Uri("https://example.com:8443/a?b=c#d".into())),
        ("https://user@[2001:db8::1]:1/", Uri("https://user@[2001:db8::1]:1/".into())),
        ("spiffe://example.org/ns/default", Uri("spiffe://example.org/ns/default".into())),
        ("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", Uri("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66".into())),
        ("mailto:a@example.com", Uri("mailto:a@example.com".into())),
        ("https://example.com/it's%20here", Uri("https://example.com/it's%20here".into())),
    ];
    for (text, name) in rows {
        assert_eq!(text.parse(), Ok(name.clone()), "{text}");
        assert_eq!(name.typed().parse(), Ok(name), "{text}");
    }
    assert_eq!("DNS: 'example.com'".parse(), Ok(Dns("example.com".into())));
    assert_eq!("IP: '192.168.0.1'".parse::<AlternativeName>().unwrap().bare(), "192.168.0.1");
    assert_eq!("EMAIL: 'a@example.com'".parse(), Ok(Email("a@example.com".into())));
    assert_eq!("URI: 'urn:a:b'".parse(), Ok(Uri("urn:a:b".into())));
}

const NO_NAMES: &[&str] = &[
    "",
    " ",
    "not a name",
    "-x.com",
    "x-.com",
    "a..b",
    ".a",
    "a.",
    ".",
    "*",
    "*.",
    "*.*.com",
    "a.*.com",
    "a*.com",
    "a_b.com",
    "bücher.example",
    "300.1.1.1",
    "1.2.3",
    "127.1",
    "01.2.3.4",
    "1.2.3.4/24",
    "example.com:443",
    "localhost:8080/a",
    "::g",
    "fe80::1%eth0",
    "[::1]",
    "@example.com",
    "a@",
    "a@b@c",
    "a b@example.com",
    ".a@example.com",
    "a..b@example.com",
    "a@-x.com",
    "a@*.example.com",
    "a@300.1.1.1",
    "http://",
    "http:",
    "https:///path",
    "https://:80/",
    "https://exa mple.com/",
    "https://example.com/%zz",
    "https://example.com/%2",
    "https://example.com/\"",
    "https://example.com:http/",
    "https://[::1",
    "https://[::g]/",
    "1http://a.com/",
    "://a",
    "/relative",
    "https://bücher.example/",
    "DNS: ''",
    "DNS: '192.0.2.1'",
    "DNS: 'a@example.com'",
    "DNS: 'example.com",
    "DNS:'example.com'",
    "DNS:example.com",
    "ip:example.com",
    "email:a@example.com",
    "uri:https://a.com",
    "dns: 'example.com'",
    "IP: 'example.com'",
    "EMAIL: 'example.com'",
    "URI: 'example.com'",
    "URI: 'fe80::1'",
    "RID: '1.2.3'",
    "IP: ''",
    "DNS: 'DNS: 'a.com''",
    "a.com\n",
    "a.com\0",
];

#[test]
fn what_is_no_name_is_refused() {
    for text in NO_NAMES {
        assert_eq!(text.parse::<AlternativeName>(), Err(InvalidAlternativeName), "{text:?}");
    }
}

#[test]
fn dns_names_have_labels_of_63_and_253_characters_at_most() {
    let reads = |text: &str| text.parse::<AlternativeName>().is_ok();
    assert!(reads(&"a".repeat(63)) && !reads(&"a".repeat(64)));
    let longest = format!("a.{}", "abcdefgh.".repeat(28).trim_end_matches('.'));
    assert_eq!(longest.len(), 253);
    assert!(reads(&longest) && !reads(&format!("a{longest}")));
}

fn through_general_name(name: &AlternativeName) -> Option<AlternativeName> {
    let encoded = name.to_general_name().unwrap().to_der().unwrap();
    AlternativeName::of_general_name(AnyRef::from_der(&encoded).unwrap())
}

fn alternative_name() -> impl Strategy<Value = AlternativeName> {
    const HOST: &str = "([a-z0-9]([A-Za-z0-9-]{0,8}[a-z0-9])?\\.){0,4}[a-z]{2,9}";
    let matching = |regex: &str| string_regex(&regex.replace("HOST", HOST)).unwrap();
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(AlternativeName::Ip),
        matching("(\\*\\.)?HOST").prop_map(AlternativeName::Dns),
        matching("[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,9}(\\.[a-z]{1,9})?@HOST").prop_map(AlternativeName::Email),
        matching("[a-z][a-z0-9+.-]{0,9}://HOST(:[0-9]{1,5})?(/[a-z'~]{0,9}(%20)?)?").prop_map(AlternativeName::Uri),
    ]
}

proptest! {
    #[test]
    fn names_survive_text_and_encoding(name in alternative_name()) {
        prop_assert_eq!(name.bare().parse(), Ok(name.clone()));
        prop_assert_eq!(name.typed().parse(), Ok(name.clone()));
        prop_assert_eq!(through_general_name(&name), Some(name));
    }

    #[test]
    fn whatever_is_read_survives(text in prop_oneof![any::<String>(), "[a-z0-9.:/@*'_%-]{1,12}", "(URI|DNS|EMAIL|IP): '[a-z0-9.:/@-]{0,9}'"]) {
        if let Ok(name) = text.parse::<AlternativeName>() {
            prop_assert_eq!(name.bare().parse(), Ok(name.clone()));
            prop_assert_eq!(name.typed().parse(), Ok(name.clone()));
            prop_assert_eq!(through_general_name(&name), Some(name));
        }
    }

    #[test]
    fn distinguished_names_can_be_read_back(
        values in prop::array::uniform5(prop_oneof![any::<String>(), "[ #,+\"<>;=a\\\\\\x00]{0,6}"])
    ) {
        let [cn, ou, o, l, st] = values;
        let subject = Subject {
            common_name: cn.clone(),
            organization: Some(o.clone()),
            organization_unit: Some(ou.clone()),
            city: Some(l.clone()),
            state: Some(st.clone()),
            country: Some("US".to_owned()),
        };
        let parts = [("CN", cn), ("OU", ou), ("O", o), ("L", l), ("ST", st), ("C", "US".to_owned())];
        let parts: Vec<_> = parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        prop_assert_eq!(read_back(&distinguished_name(&subject.to_name().unwrap())), parts);
    }
}

#![allow(clippy::unwrap_used, reason = "tests")]

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;

use super::KeySelector;
use strongroom_domain::key::Locator;

fn key(id: Option<&[u8]>, label: Option<&str>) -> KeySelector {
    let locator = id.map(|id| Locator::from_bytes(id).unwrap());
    KeySelector { locator, label: label.map(str::to_owned), ..KeySelector::default() }
}

#[test]
fn keys_are_named_by_id_in_hex_or_by_uri() {
    for (text, wanted) in [
        ("a1", key(Some(&[0xa1]), None)),
        ("00FFab", key(Some(&[0, 0xff, 0xab]), None)),
        ("pkcs11:id=%a1%B2", key(Some(&[0xa1, 0xb2]), None)),
        ("pkcs11:id=a1", key(Some(b"a1"), None)),
        ("pkcs11:object=orders", key(None, Some("orders"))),
        ("pkcs11:object=two%20words%3b%25;type=private", key(None, Some("two words;%"))),
        ("pkcs11:object=%C3%A9t%c3%a9;id=%00", key(Some(&[0]), Some("\u{e9}t\u{e9}"))),
        ("pkcs11:model=a;slot-id=7;library-version=2.6;object=x;", key(None, Some("x"))),
        (
            "pkcs11:token=a%20b;serial=01;object=x",
            KeySelector { token: Some("a b".to_owned()), serial: Some("01".to_owned()), ..key(None, Some("x")) },
        ),
    ] {
        assert_eq!(text.parse::<KeySelector>().unwrap(), wanted, "{text}");
    }
}

#[test]
fn texts_that_name_no_key_are_refused_with_the_reason() {
    let long = "ab".repeat(256);
    for (text, words) in [
        ("", "1 to 255 bytes"),
        (long.as_str(), "1 to 255 bytes"),
        ("abc", "CKA_ID in hex"),
        ("+1", "CKA_ID in hex"),
        ("0xa1", "CKA_ID in hex"),
        ("a1:b2", "CKA_ID in hex"),
        (" a1 ", "CKA_ID in hex"),
        ("\u{e9}", "CKA_ID in hex"),
        ("PKCS11:id=%a1", "CKA_ID in hex"),
        ("pkcs11:", "neither `id` nor `object`"),
        ("pkcs11:;;", "neither `id` nor `object`"),
        ("pkcs11:token=a;type=private", "neither `id` nor `object`"),
        ("pkcs11:id=", "1 to 255 bytes"),
        ("pkcs11:id", "`id` has no value"),
        ("pkcs11:id=%a1;id=%a2", "`id` is given twice"),
        ("pkcs11:type=public;id=%a1", "`type` must be `private`"),
        ("pkcs11:type=secret-key;id=%a1", "`type` must be `private`"),
        ("pkcs11:object=%ff", "`object` is not UTF-8"),
        ("pkcs11:object=100%", "`object` has a `%`"),
        ("pkcs11:id=%a1%g1", "`id` has a `%`"),
        ("pkcs11:label=x", "`label` names no key"),
        ("pkcs11:id=%a1?pin-value=1234", "query attributes"),
    ] {
        let why = text.parse::<KeySelector>().unwrap_err().to_string();
        assert!(why.contains(words), "{text}: {why}");
        assert!(!why.contains("1234"), "a PIN is never repeated");
    }
}

proptest! {
    #[test]
    fn any_id_and_label_survive_their_encoding(
        id in prop::collection::vec(any::<u8>(), 1..=255),
        label in "\\PC{1,20}",
    ) {
        let escaped = |bytes| percent_encode(bytes, NON_ALPHANUMERIC).to_string();
        let uri = format!("pkcs11:id={};object={}", escaped(&id), escaped(label.as_bytes()));
        prop_assert_eq!(uri.parse::<KeySelector>().unwrap(), key(Some(&id), Some(&label)));
        let hex = Locator::from_bytes(&id).unwrap().to_string();
        prop_assert_eq!(hex.parse::<KeySelector>().unwrap(), key(Some(&id), None));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(pkcs11:)?\\PC{0,40}") {
        let _ = text.parse::<KeySelector>();
    }
}

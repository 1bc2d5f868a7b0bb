#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;

fn id() -> KeyId {
    KeyId::new(Timestamp::from_micros(1_786_652_460_654_321)).unwrap()
}

#[test]
fn names_of_closed_sets_are_unique_and_read_back() {
    for algorithm in KeyAlgorithm::all() {
        assert_eq!(KeyAlgorithm::from_name(algorithm.name()), Some(algorithm));
    }
    for algorithm in SignatureAlgorithm::all() {
        assert_eq!(SignatureAlgorithm::from_jca_name(algorithm.jca_name()), Some(algorithm));
    }
    for state in KeyState::ALL {
        assert_eq!(KeyState::from_name(state.name()), Some(state));
    }
    for kind in RingKind::ALL {
        assert_eq!(RingKind::from_name(kind.name()), Some(kind));
    }
    for kind in [ProviderKind::Hsm, ProviderKind::Local] {
        assert_eq!(ProviderKind::from_name(kind.name()), Some(kind));
    }
    for key_use in [KeyUse::Sign, KeyUse::Decrypt] {
        assert_eq!(KeyUse::from_name(key_use.name()), Some(key_use));
    }
    for origin in [KeyOrigin::Generated, KeyOrigin::Imported, KeyOrigin::Linked] {
        assert_eq!(KeyOrigin::from_name(origin.name()), Some(origin));
    }
    assert_eq!(KeyAlgorithm::from_name("RSA-2048"), None);
    assert_eq!(SignatureAlgorithm::from_jca_name("SHA1withRSA"), None);
    assert_eq!(KeyState::from_name("active"), None);
    assert_eq!(ProviderKind::from_name("hsm"), None);
}

#[test]
fn signature_algorithms_of_a_key_are_those_that_fit_with_the_default_first() {
    for key in KeyAlgorithm::all() {
        let offered = key.signature_algorithms();
        assert_eq!(offered.first(), Some(&key.default_signature_algorithm()), "{key}");
        for algorithm in SignatureAlgorithm::all() {
            let times = offered.iter().filter(|offered| **offered == algorithm).count();
            assert_eq!(times, usize::from(algorithm.fits(key)), "{algorithm} with {key}");
        }
    }
}

#[test]
fn default_of_an_ec_key_follows_its_curve() {
    let default = |key: KeyAlgorithm| key.default_signature_algorithm().jca_name();
    assert_eq!(default(KeyAlgorithm::P256), "SHA256withECDSA");
    assert_eq!(default(KeyAlgorithm::P384), "SHA384withECDSA");
    assert_eq!(default(KeyAlgorithm::P521), "SHA512withECDSA");
}

/// "abc" of FIPS 180-4.
#[test]
fn digests_have_the_length_that_they_say() {
    for hash in HashAlgorithm::ALL {
        assert_eq!(hash.digest(b"abc").len(), hash.output_len());
    }
    assert_eq!(HashAlgorithm::Sha256.digest(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(HashAlgorithm::Sha384.digest(b"abc")[..4], [0xcb, 0x00, 0x75, 0x3f]);
    assert_eq!(HashAlgorithm::Sha512.digest(b"abc")[..4], [0xdd, 0xaf, 0x35, 0xa1]);
}

#[test]
fn states_move_along_the_table_and_nowhere_else() {
    use KeyState::{
        Abandoning, Active, Compromised, Deactivated, Destroyed, Destroying, PendingDestruction, PreActive, Reserved,
        Stocked, Suspended,
    };
    let moves = [
        (Reserved, Abandoning),
        (Reserved, Stocked),
        (Reserved, PreActive),
        (Reserved, Active),
        (Abandoning, Destroyed),
        (Stocked, Reserved),
        (Stocked, Destroying),
        (PreActive, Active),
        (PreActive, Destroying),
        (Active, Deactivated),
        (Active, Destroying),
        (Deactivated, Destroying),
        (PreActive, Suspended),
        (Active, Suspended),
        (Deactivated, Suspended),
        (Suspended, PreActive),
        (Suspended, Active),
        (Suspended, Deactivated),
        (Suspended, Destroying),
        (PreActive, Compromised),
        (Active, Compromised),
        (Deactivated, Compromised),
        (Suspended, Compromised),
        (Compromised, Destroying),
        (PreActive, PendingDestruction),
        (Active, PendingDestruction),
        (Deactivated, PendingDestruction),
        (Suspended, PendingDestruction),
        (Compromised, PendingDestruction),
        (PendingDestruction, Suspended),
        (PendingDestruction, Compromised),
        (PendingDestruction, Destroying),
        (Destroying, Destroyed),
    ];
    for from in KeyState::ALL {
        for to in KeyState::ALL {
            let allowed = moves.contains(&(from, to));
            assert_eq!(from.may_become(to, false), allowed, "{from} to {to}");
            let back = (from, to) == (Deactivated, Active);
            assert_eq!(from.may_become(to, true), allowed || back, "{from} to {to}, web key");
        }
    }
}

#[test]
fn no_state_leads_back_to_itself_or_out_of_the_grave() {
    for state in KeyState::ALL {
        assert!(!state.may_become(state, true));
        assert!(!KeyState::Destroyed.may_become(state, true));
        assert_eq!(state.may_become(KeyState::Reserved, true), state == KeyState::Stocked, "only stock is reserved");
    }
}

#[test]
fn visible_states_hold_their_name_and_so_does_a_reservation() {
    let visible: Vec<_> = KeyState::ALL.into_iter().filter(|state| state.is_visible()).collect();
    assert_eq!(visible, [KeyState::PreActive, KeyState::Active, KeyState::Deactivated, KeyState::Suspended]);
    let holding: Vec<_> = KeyState::ALL.into_iter().filter(|state| state.reserves_ring_id()).collect();
    assert_eq!(holding, [&[KeyState::Reserved][..], &visible].concat());
    let held: Vec<_> = KeyState::ALL.into_iter().filter(|state| state.is_held()).collect();
    assert_eq!(
        held,
        [&[KeyState::Stocked][..], &visible, &[KeyState::Compromised, KeyState::PendingDestruction]].concat()
    );
}

#[test]
fn key_ids_are_uuids_of_version_7_that_sort_by_time() {
    let text = id().to_string();
    assert_eq!(text.parse::<KeyId>().unwrap().to_string(), text);
    // 1786652460654 ms in hex.
    assert!(text.starts_with("019ffcc9-066e-7"), "{text}");
    let later = KeyId::new(Timestamp::from_micros(1_786_652_460_655_000)).unwrap().to_string();
    assert!(text < later);
    assert!("6e8bc430-9c3a-41d9-9669-0800200c9a66".parse::<KeyId>().is_err(), "version 4");
    assert!("".parse::<KeyId>().is_err());
    assert_ne!(id(), id());
}

#[test]
fn labels_name_the_keys_of_their_own_store_only() {
    let (store, other, key) = (StoreId::new().unwrap(), StoreId::new().unwrap(), id());
    let label = store.label(key);
    assert_eq!(label, format!("sr:{store}:{key}"));
    assert_eq!(store.key_of_label(&label), Some(key));
    assert_eq!(other.key_of_label(&label), None);
    for foreign in ["", "sr:", "server key", &format!("sr:{store}"), &format!("sr:{store}:"), &format!("{label} ")] {
        assert_eq!(store.key_of_label(foreign), None, "{foreign}");
    }
    assert_eq!(store.to_string().parse(), Ok(store));
    assert!("no store".parse::<StoreId>().is_err());
}

#[test]
fn kids_are_visible_ascii_of_at_most_128_characters() {
    assert_eq!(Kid::parse("a~!").unwrap().as_str(), "a~!");
    assert!(Kid::parse("k".repeat(128)).is_ok());
    for refused in ["", "a b", "é", "a\n", &"k".repeat(129)] {
        assert!(Kid::parse(refused).is_err(), "{refused:?}");
    }
}

#[test]
fn locators_have_1_to_255_bytes_and_show_as_hex() {
    assert_eq!(Locator::from_bytes(&[0x00, 0xab]).unwrap().to_string(), "00ab");
    assert!(Locator::from_bytes(&[]).is_err());
    assert!(Locator::from_bytes(&[1; 255]).is_ok());
    assert!(Locator::from_bytes(&[1; 256]).is_err());
    assert_eq!(Locator::new().unwrap().as_bytes().len(), 16);
    assert_ne!(Locator::new().unwrap(), Locator::new().unwrap());
}

#[test]
fn serial_numbers_are_positive_and_always_16_bytes_long() {
    let serials: Vec<_> = (0..256).map(|_| SerialNumber::new().unwrap()).collect();
    assert!(serials.iter().all(|serial| serial.as_bytes()[0] & 0xc0 == 0x40));
    assert!(serials.iter().any(|serial| serial.as_bytes()[0] != serials[0].as_bytes()[0]), "the rest is random");
}

#[test]
fn ring_ids_are_a_word_and_a_name() {
    let rows = [
        ("signing:idp", RingKind::Signing, "idp"),
        ("sslServer:a:b/c d", RingKind::SslServer, "a:b/c d"),
        ("sslClient:é", RingKind::SslClient, "é"),
        ("connection:con_1", RingKind::Connection, "con_1"),
        ("web-keys", RingKind::WebKeys, ""),
    ];
    for (text, kind, name) in rows {
        let ring: RingId = text.parse().unwrap();
        assert_eq!((ring.kind(), ring.name()), (kind, name));
        assert_eq!(ring.to_string(), text);
    }
    for refused in ["", "signing", "signing:", "web-keys:x", "Signing:x", "ring:x", ":x", "signing:a\nb"] {
        assert!(refused.parse::<RingId>().is_err(), "{refused:?}");
    }
    assert!(RingId::new(RingKind::Signing, "é".repeat(200)).is_ok());
    assert!(RingId::new(RingKind::Signing, "é".repeat(201)).is_err());
}

#[test]
fn der_newtypes_take_one_whole_structure() {
    // An Ed25519 SubjectPublicKeyInfo.
    let spki = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &[7; 32]].concat();
    assert_eq!(SpkiDer::parse(spki.clone()).unwrap().as_bytes(), spki);
    assert!(SpkiDer::parse([spki.clone(), vec![0]].concat()).is_err());
    assert!(SpkiDer::parse(spki[..43].to_vec()).is_err());
    assert!(CertificateDer::parse(spki).is_err());
    assert!(CertificateDer::parse(Vec::new()).is_err());
}

proptest! {
    #[test]
    fn ring_ids_read_back(kind in prop::sample::select(&RingKind::ALL[..4]), name in "[^\\p{Cc}]{1,50}") {
        let ring = RingId::new(kind, name).unwrap();
        prop_assert_eq!(ring.to_string().parse(), Ok(ring));
    }

    #[test]
    fn parsers_of_ids_take_any_text(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (text.parse::<KeyId>(), text.parse::<StoreId>(), text.parse::<RingId>(), Kid::parse(text));
        let _ = (SpkiDer::parse(bytes.clone()), CertificateDer::parse(bytes));
    }
}

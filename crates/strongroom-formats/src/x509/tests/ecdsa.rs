use proptest::prelude::*;

use crate::x509::ecdsa::{NotEcdsa, to_der, to_raw};

#[test]
fn leading_zeros_and_the_sign_bit_are_minded() {
    let raw = [[0; 31].as_slice(), &[1], &[0x80], &[0; 31]].concat();
    let der = [&[0x30, 0x26, 0x02, 0x01, 0x01, 0x02, 0x21, 0x00, 0x80][..], &[0; 31]].concat();
    assert_eq!(to_der(&raw).unwrap(), der);
    assert_eq!(to_raw(&der, 32).unwrap(), raw);
}

#[test]
fn what_is_no_signature_is_refused() {
    assert_eq!(to_der(&[]), Err(NotEcdsa));
    assert_eq!(to_der(&[1; 63]), Err(NotEcdsa));
    let refused: [(&str, &[u8]); 8] = [
        ("nothing", &[]),
        ("an empty sequence", &[0x30, 0x00]),
        ("one integer", &[0x30, 0x03, 0x02, 0x01, 0x01]),
        ("three integers", &[0x30, 0x09, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]),
        ("a negative integer", &[0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x01]),
        ("a padded integer", &[0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x01]),
        ("a long length", &[0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]),
        ("something after it", &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x00]),
    ];
    for (what, der) in refused {
        assert_eq!(to_raw(der, 32), Err(NotEcdsa), "{what}");
    }
    let wide = to_der(&[0x7f; 96]).unwrap();
    assert_eq!(to_raw(&wide, 32), Err(NotEcdsa), "of a wider curve");
}

fn raw_signature() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(32_usize), Just(48), Just(66)].prop_flat_map(|width| {
        // Zeros in front are what conversions get wrong.
        let half = (0..=width, prop::collection::vec(any::<u8>(), width)).prop_map(|(zeros, mut bytes)| {
            bytes[..zeros].fill(0);
            bytes
        });
        (half.clone(), half).prop_map(|(r, s)| [r, s].concat())
    })
}

proptest! {
    #[test]
    fn forms_turn_into_each_other(raw in raw_signature()) {
        let der = to_der(&raw).unwrap();
        prop_assert_eq!(to_raw(&der, raw.len() / 2).unwrap(), raw);
    }

    #[test]
    fn any_bytes_are_one_signature_or_none(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(raw) = to_raw(&bytes, 32) {
            prop_assert_eq!(&to_der(&raw).unwrap(), &bytes);
        }
        let _ = to_der(&bytes);
    }
}

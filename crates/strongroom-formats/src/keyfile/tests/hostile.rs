use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn refused(data: &[u8]) -> KeyFileError {
    read(data, None, &password()).unwrap_err()
}

fn says(failure: &KeyFileError, words: &[&str]) -> bool {
    words.iter().all(|word| failure.to_string().contains(word))
}

#[test]
fn keys_that_nothing_here_can_use_are_refused_with_what_is_accepted() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let rows = [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", "1024 bits"),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2056", "2056 bits"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "1.3.132.0.10"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", "without a name"),
        ("genpkey -algorithm ED448", "1.3.101.113"),
        ("genpkey -algorithm X25519", "1.3.101.110"),
        ("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", "1.2.840.113549.1.1.10"),
        ("ecparam -name secp256k1 -genkey", "1.3.132.0.10"),
    ];
    for (command, named) in rows {
        let failure = refused(&openssl(at, command));
        assert!(matches!(failure, KeyFileError::UnsupportedKey(_)), "{command}: {failure}");
        assert!(says(&failure, &[named, "RSA of 2048, 3072 or 4096 bits"]), "{command}: {failure}");
    }
    let failure =
        refused(&openssl(at, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3"));
    assert!(says(&failure, &["exponent", "65537"]), "{failure}");
    openssl(at, "dsaparam -out dsa.par -genkey 2048");
    let failure = refused(&openssl(at, "pkcs8 -topk8 -nocrypt -in dsa.par"));
    assert!(matches!(failure, KeyFileError::UnsupportedKey(_)), "{failure}");
}

#[test]
fn what_is_another_container_is_told_so() {
    let folder = folder(KeyAlgorithm::RSA_2048);
    let at = folder.path();
    let jks =
        "-genkeypair -keyalg RSA -keystore a.jks -storetype JKS -storepass changeit -keypass changeit -dname CN=j";
    run(at, "keytool", &jks.split_whitespace().collect::<Vec<_>>());
    for data in [file(at, "a.jks"), STANDARD.encode(file(at, "a.jks")).into_bytes()] {
        assert!(says(&refused(&data), &["JKS", "PKCS#12 and PEM"]), "{}", refused(&data));
    }
    let old = openssl(at, "rsa -in key.pem -traditional -aes128 -passout file:pw");
    assert!(says(&refused(&old), &["PKCS#8"]), "{}", refused(&old));
    for nothing in [&b""[..], b" ", b"hello", b"0", &[0x30, 0], &file(at, "leaf.pem")] {
        assert!(matches!(refused(nothing), KeyFileError::Malformed(_)), "{nothing:?}");
    }
}

#[test]
fn exactly_one_key_is_accepted() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let two = [file(at, "key.pem"), file(at, "ca.key")].concat();
    assert!(says(&refused(&two), &["2 private keys", "exactly one"]), "{}", refused(&two));
    let none = openssl(at, "pkcs12 -export -nokeys -in leaf.pem -passout file:pw");
    assert!(says(&refused(&none), &["0 private keys", "exactly one"]), "{}", refused(&none));
    for alias in ["a", "b"] {
        let command = format!("-genkeypair -keyalg EC -keystore two.p12 -storepass:file pw -dname CN=x -alias {alias}");
        run(at, "keytool", &command.split_whitespace().collect::<Vec<_>>());
    }
    let failure = refused(&file(at, "two.p12"));
    assert!(says(&failure, &["2 private keys", "exactly one"]), "{failure}");
}

#[test]
fn public_half_that_is_of_another_key_is_refused() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let swap = |of: &Path, with: &Path| {
        let (mut der, other) =
            (openssl(of, "pkey -in key.pem -outform DER"), openssl(with, "pkey -in key.pem -outform DER"));
        let len = der.len();
        der[len - 64..].copy_from_slice(&other[len - 64..]);
        der
    };
    let another = super::folder(KeyAlgorithm::P256);
    let failure = refused(&swap(at, another.path()));
    assert!(says(&failure, &["contradict"]), "{failure}");
    let rsa = super::folder(KeyAlgorithm::RSA_2048);
    let mut der = openssl(rsa.path(), "pkey -in key.pem -outform DER");
    der[100] ^= 1;
    assert!(says(&refused(&der), &["contradict"]), "{}", refused(&der));
}

/// Replaces every occurrence of a count by another of the same length.
fn with_iterations(data: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut changed = data.to_vec();
    let places: Vec<_> = data.windows(from.len()).enumerate().filter(|(_, bytes)| *bytes == from).collect();
    assert!(!places.is_empty());
    for (place, _) in places {
        changed[place..place + to.len()].copy_from_slice(to);
    }
    changed
}

#[test]
fn bombs_of_iterations_are_refused_before_they_go_off() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    // 65,793 iterations are patched to become 8,366,677.
    let (small, large) = ([0x02, 0x03, 0x01, 0x01, 0x01], [0x02, 0x03, 0x7f, 0xaa, 0x55]);
    let p12 = "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw -iter 65793";
    let commands = [
        p12.to_owned(),
        format!("{p12} -legacy"),
        format!("{p12} -nomac"),
        format!("{p12} -nomac -legacy"),
        "pkcs8 -topk8 -in key.pem -passout file:pw -iter 65793 -outform DER".to_owned(),
        "pkcs8 -topk8 -in key.pem -passout file:pw -iter 65793 -v1 PBE-SHA1-3DES -outform DER".to_owned(),
    ];
    for command in commands {
        let data = openssl(at, &command);
        assert_is_key(&read(&data, None, &password()), at, KeyAlgorithm::P256, &command);
        let before = Instant::now();
        let failure = refused(&with_iterations(&data, &small, &large));
        assert!(matches!(failure, KeyFileError::Excessive(_)), "{command}: {failure}");
        assert!(before.elapsed() < Duration::from_millis(200), "{command}");
    }
    // N, r and p of scrypt: 16384, 8 and 1.
    let scrypt = openssl(at, "pkcs8 -topk8 -in key.pem -passout file:pw -scrypt -outform DER");
    let (r, more) = ([0x40, 0x00, 0x02, 0x01, 0x08], [0x40, 0x00, 0x02, 0x01, 0x7f]);
    assert!(matches!(refused(&with_iterations(&scrypt, &r, &more)), KeyFileError::Excessive(_)));
}

#[test]
fn sizes_are_bounded() {
    assert!(matches!(refused(&vec![b'A'; (1 << 20) + 1]), KeyFileError::Excessive(_)));
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let many = [file(at, "key.pem"), file(at, "leaf.pem").repeat(33)].concat();
    assert!(matches!(refused(&many), KeyFileError::Excessive(_)));
    std::fs::write(at.join("many.pem"), file(at, "leaf.pem").repeat(33)).unwrap();
    let p12 = "pkcs12 -export -inkey key.pem -in leaf.pem -certfile many.pem -passout file:pw";
    assert!(matches!(refused(&openssl(at, p12)), KeyFileError::Excessive(_)));
}

#[test]
fn truncated_files_are_broken_at_every_length() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let p12 = openssl(at, "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw -iter 1 -nomac");
    let shrouded = openssl(at, "pkcs8 -topk8 -in key.pem -passout file:pw -iter 1 -outform DER");
    let clear = openssl(at, "pkey -in key.pem -outform DER");
    for whole in [p12, shrouded, clear] {
        for length in 0..whole.len() {
            let failure = refused(&whole[..length]);
            assert!(matches!(failure, KeyFileError::Malformed(_)), "{length}: {failure}");
        }
    }
    let pem = file(at, "key.pem");
    for length in 0..pem.len() - 1 {
        assert!(matches!(refused(&pem[..length]), KeyFileError::Malformed(_)), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        let _ = (read(&data, None, &password()), read(text.as_bytes(), None, &password()));
        let _ = read(format!("-----BEGIN {text}-----\n{text}\n-----END {text}-----").as_bytes(), None, &password());
    }
}

#[test]
fn pkcs12_with_any_bit_flipped_never_panics() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let whole = openssl(at, "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw -iter 1 -nomac");
    for place in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        let _ = read(&flipped, None, &password());
    }
}

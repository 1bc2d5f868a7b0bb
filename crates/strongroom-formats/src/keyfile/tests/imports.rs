use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn certificates_of(at: &Path, names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| openssl(at, &format!("x509 -in {name} -outform DER"))).collect()
}

#[test]
fn every_key_is_read_from_every_form_that_openssl_writes() {
    for (algorithm, _) in KEYS {
        let folder = folder(algorithm);
        let at = folder.path();
        let p12 = "pkcs12 -export -inkey key.pem -in leaf.pem -certfile ca.pem -passout file:pw";
        let pkcs8 = "pkcs8 -topk8 -in key.pem -passout file:pw -outform PEM";
        let mut commands = vec![
            p12.to_owned(),
            format!("{p12} -legacy"),
            format!("{p12} -keypbe NONE -certpbe NONE"),
            format!("{p12} -nomac"),
            format!("{p12} -macalg SHA1 -keypbe AES-128-CBC -certpbe AES-192-CBC"),
            format!("{p12} -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-3DES"),
            "pkey -in key.pem".to_owned(),
            "pkey -in key.pem -outform DER".to_owned(),
            pkcs8.to_owned(),
            format!("{pkcs8} -v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 1"),
            format!("{pkcs8} -v2 des3 -v2prf hmacWithSHA1"),
            format!("{pkcs8} -scrypt"),
            format!("{pkcs8} -v1 PBE-SHA1-3DES"),
            "pkcs8 -topk8 -in key.pem -passout file:pw -outform DER".to_owned(),
        ];
        if [KeyAlgorithm::RSA_3072, KeyAlgorithm::RSA_4096, KeyAlgorithm::P521].contains(&algorithm) {
            commands.truncate(1);
        }
        if algorithm != KeyAlgorithm::ED25519 {
            commands.push("pkey -in key.pem -traditional".to_owned());
            commands.push("pkey -in key.pem -traditional -outform DER".to_owned());
        }
        for command in commands {
            let data = openssl(at, &command);
            let found = read(&data, None, &password());
            assert_is_key(&found, at, algorithm, &command);
            if command.starts_with("pkcs12") {
                let ders: Vec<_> = found.unwrap().certificates.iter().map(|c| c.as_bytes().to_vec()).collect();
                assert_eq!(ders, certificates_of(at, &["leaf.pem", "ca.pem"]), "{command}");
            }
            let in_base64 = STANDARD.encode(&data);
            assert_eq!(read(in_base64.as_bytes(), None, &password()).unwrap().spki.as_bytes(), file(at, "spki.der"));
        }
    }
}

#[test]
fn key_files_of_java_are_read() {
    let rows = [
        ("-keyalg RSA -keysize 2048", KeyAlgorithm::RSA_2048),
        ("-keyalg EC -groupname secp384r1", KeyAlgorithm::P384),
        ("-keyalg Ed25519", KeyAlgorithm::ED25519),
    ];
    for (options, algorithm) in rows {
        for legacy in ["", "-J-Dkeystore.pkcs12.legacy"] {
            let folder = folder(algorithm);
            let at = folder.path();
            let store = "-keystore java.p12 -storetype PKCS12 -storepass:file pw -dname CN=java -alias first";
            let command = format!("{legacy} -genkeypair {options} {store}");
            run(at, "keytool", &command.split_whitespace().collect::<Vec<_>>());
            let certificate = run(
                at,
                "keytool",
                &format!("-exportcert -rfc {store}")
                    .replace("-dname CN=java", "")
                    .split_whitespace()
                    .collect::<Vec<_>>(),
            );
            std::fs::write(at.join("java.pem"), certificate).unwrap();
            openssl(at, "x509 -in java.pem -pubkey -noout -out java.pub");
            openssl(at, "pkey -pubin -in java.pub -outform DER -out spki.der");
            let found = read(&file(at, "java.p12"), Some(KeyFileFormat::Pkcs12), &password());
            assert_is_key(&found, at, algorithm, legacy);
            assert_eq!(found.unwrap().certificates.len(), 1);
        }
    }
}

#[test]
fn pem_is_read_however_it_was_pasted() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let (key, leaf, ca) = (file(at, "key.pem"), file(at, "leaf.pem"), file(at, "ca.pem"));
    let text = String::from_utf8([ca.clone(), key.clone(), leaf.clone()].concat()).unwrap();
    let rows = [
        text.clone(),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\\n"),
        text.replace('\n', "\\r\\n"),
        text.replace('\n', ""),
        format!("Bag Attributes\n    friendlyName: my key\nKey Attributes: <No Attributes>\n{text}"),
        STANDARD.encode(&text),
        STANDARD.encode(text.replace('\n', "\r\n")).as_bytes().chunks(76).fold(String::new(), |mut lines, line| {
            lines.push_str(std::str::from_utf8(line).unwrap());
            lines.push('\n');
            lines
        }),
    ];
    for text in rows {
        for format in [None, Some(KeyFileFormat::Pem)] {
            let found = read(text.as_bytes(), format, &password());
            assert_is_key(&found, at, KeyAlgorithm::P256, &text);
            let ders: Vec<_> = found.unwrap().certificates.iter().map(|c| c.as_bytes().to_vec()).collect();
            assert_eq!(ders, certificates_of(at, &["leaf.pem", "ca.pem"]), "the leaf comes first");
        }
    }
}

#[test]
fn ec_keys_are_read_with_and_without_their_parameters_block() {
    let folder = folder(KeyAlgorithm::P384);
    let at = folder.path();
    let with = openssl(at, "ecparam -name secp384r1 -genkey");
    std::fs::write(at.join("ec.pem"), &with).unwrap();
    openssl(at, "pkey -in ec.pem -pubout -outform DER -out spki.der");
    assert!(String::from_utf8_lossy(&with).contains("BEGIN EC PARAMETERS"));
    assert_is_key(&read(&with, None, &password()), at, KeyAlgorithm::P384, "with parameters");
    let without = openssl(at, "ec -in ec.pem");
    assert_is_key(&read(&without, None, &password()), at, KeyAlgorithm::P384, "without");
    let no_public = openssl(at, "ec -in ec.pem -no_public");
    assert_is_key(&read(&no_public, None, &password()), at, KeyAlgorithm::P384, "without public half");
    let compressed = openssl(at, "ec -in ec.pem -conv_form compressed");
    assert_is_key(&read(&compressed, None, &password()), at, KeyAlgorithm::P384, "compressed");
}

#[test]
fn passwords_beyond_ascii_open_what_openssl_encrypted_with_them() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let password = Secret::new("Käse 🧀".as_bytes().to_vec());
    std::fs::write(at.join("pw"), password.expose()).unwrap();
    let p12 = "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw";
    for command in [p12, &format!("{p12} -legacy"), "pkcs8 -topk8 -in key.pem -passout file:pw"] {
        assert_is_key(&read(&openssl(at, command), None, &password), at, KeyAlgorithm::P256, command);
    }
}

#[test]
fn wrong_password_is_named_for_every_form() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let p12 = "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw";
    let pkcs8 = "pkcs8 -topk8 -in key.pem -passout file:pw";
    let commands = [
        p12.to_owned(),
        format!("{p12} -legacy"),
        format!("{p12} -nomac"),
        pkcs8.to_owned(),
        format!("{pkcs8} -v1 PBE-SHA1-3DES"),
        format!("{pkcs8} -iter 1 -outform DER"),
    ];
    for command in commands {
        let data = openssl(at, &command);
        for attempt in 0..64 {
            let wrong = Secret::new(format!("wrong {attempt}").into_bytes());
            assert_eq!(read(&data, None, &wrong).unwrap_err(), KeyFileError::WrongPassword, "{command}");
            if !command.contains("-iter 1") {
                break;
            }
        }
        assert_eq!(read(&data, None, &Secret::new(Vec::new())).unwrap_err(), KeyFileError::WrongPassword);
        assert_eq!(read(&data, None, &Secret::new(vec![0xff])).unwrap_err(), KeyFileError::WrongPassword);
    }
}

#[test]
fn format_that_the_data_do_not_have_is_refused() {
    let folder = folder(KeyAlgorithm::P256);
    let at = folder.path();
    let p12 = openssl(at, "pkcs12 -export -inkey key.pem -in leaf.pem -passout file:pw");
    let rows = [(p12, KeyFileFormat::Pem), (file(at, "key.pem"), KeyFileFormat::Pkcs12)];
    for (data, format) in rows {
        for data in [data.clone(), STANDARD.encode(&data).into_bytes()] {
            let failure = read(&data, Some(format), &password()).unwrap_err();
            assert!(
                matches!(&failure, KeyFileError::Malformed(text) if text.contains("as the format says")),
                "{failure}"
            );
        }
    }
}

/// An element and what follows it, in BER: every length left open, every octet string in two
/// pieces, the IMPLICIT one of encrypted contents included.
fn in_ber(der: &[u8]) -> Vec<u8> {
    let mut ber = Vec::new();
    let mut reader = der::SliceReader::new(der).unwrap();
    while !der::Reader::is_finished(&reader) {
        let element = <der::asn1::AnyRef<'_> as der::Decode<'_>>::decode(&mut reader).unwrap();
        let der = der::Encode::to_der(&element).unwrap();
        let tag = der[0];
        let value = element.value();
        match tag {
            0x04 | 0x80 => {
                let (first, second) = value.split_at(value.len() / 2);
                let pieces = [first, second]
                    .map(|piece| der::Encode::to_der(&der::asn1::OctetString::new(piece).unwrap()).unwrap());
                ber.extend([vec![tag | 0x20, 0x80], pieces.concat(), vec![0, 0]].concat());
            }
            tag if tag & 0x20 != 0 => ber.extend([vec![tag, 0x80], in_ber(value), vec![0, 0]].concat()),
            _ => ber.extend(der),
        }
    }
    ber
}

#[test]
fn pkcs12_in_ber_is_read_as_bouncy_castle_writes_it() {
    for options in ["", "-legacy", "-nomac", "-keypbe NONE -certpbe NONE"] {
        let folder = folder(KeyAlgorithm::RSA_2048);
        let at = folder.path();
        let p12 = format!("pkcs12 -export -inkey key.pem -in leaf.pem -certfile ca.pem -passout file:pw {options}");
        let ber = in_ber(&openssl(at, &p12));
        assert_eq!(ber[..2], [0x30, 0x80]);
        let found = read(&ber, Some(KeyFileFormat::Pkcs12), &password());
        assert_is_key(&found, at, KeyAlgorithm::RSA_2048, options);
        assert_eq!(found.unwrap().certificates.len(), 2);
        for length in 0..ber.len() {
            assert!(matches!(read(&ber[..length], None, &password()), Err(KeyFileError::Malformed(_))), "{length}");
        }
    }
    let bomb = [0x30, 0x80].repeat(100_000);
    assert!(matches!(read(&bomb, None, &password()), Err(KeyFileError::Malformed(_))));
}

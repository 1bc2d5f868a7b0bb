//! Chains whose signatures cannot all be verified, and chains that go more than one way.

use std::path::Path;
use std::time::{Duration, Instant};

use super::forged::{Forged, authority, common_name, extension, key, spki};
use super::openssl;
use crate::x509::tlv::{OCTET_STRING, SEQUENCE, encode};
use crate::x509::{
    Chain, ChainError, ChainWanted, certificates, chain_among, chain_for, chains_for, check_trust, public_key,
};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{CertificateDer, SpkiDer};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn wanted(spki: &SpkiDer) -> ChainWanted<'_> {
    ChainWanted { spki, leaf: None, now: NOW }
}

fn sh(at: &Path, command: &str) {
    openssl(at, &command.split_whitespace().collect::<Vec<_>>());
}

/// A leaf on P-256 by a root of some key, with options of the signature.
fn issued(at: &Path, root: &str, options: &str) -> [CertificateDer; 2] {
    sh(at, &format!("genpkey -algorithm {root} -out root.key"));
    sh(at, &format!("req -x509 -new -key root.key {options} -subj /CN=root -days 9000 -out root.pem"));
    sh(at, "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr");
    let by = "-CA root.pem -CAkey root.key -CAcreateserial -days 9000";
    sh(at, &format!("x509 -req -in leaf.csr {by} {options} -out leaf.pem"));
    let read = |name| certificates(&std::fs::read(at.join(name)).unwrap()).unwrap().remove(0);
    [read("leaf.pem"), read("root.pem")]
}

#[test]
fn issuers_of_every_kind_of_signature_take_their_place() {
    let rsa = "RSA -pkeyopt rsa_keygen_bits";
    let pss = "-sigopt rsa_padding_mode:pss";
    let rows = [
        (format!("{rsa}:2048"), format!("{pss} -sigopt rsa_pss_saltlen:max -sha256"), None),
        (format!("{rsa}:2048"), format!("{pss} -sigopt rsa_pss_saltlen:0 -sha256"), None),
        (format!("{rsa}:2048"), format!("{pss} -sigopt rsa_pss_saltlen:20 -sha512"), None),
        (format!("{rsa}:2041"), format!("{pss} -sigopt rsa_pss_saltlen:32 -sha384"), None),
        (format!("{rsa}:2048"), format!("{pss} -sha1"), None),
        (format!("{rsa}:2048"), format!("{pss} -sha256 -sigopt rsa_mgf1_md:sha1"), None),
        (format!("{rsa}:1024"), "-sha256".to_owned(), None),
        (format!("{rsa}:1024"), "-sha384".to_owned(), None),
        (format!("{rsa}:2048"), "-sha1".to_owned(), None),
        (format!("{rsa}:2048"), "-sha224".to_owned(), None),
        ("RSA-PSS -pkeyopt rsa_keygen_bits:2048".to_owned(), "-sha256".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:P-256".to_owned(), "-sha1".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:P-521".to_owned(), "-sha224".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:P-384".to_owned(), "-sha512".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:secp256k1".to_owned(), "-sha512".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:brainpoolP256r1".to_owned(), "-sha256".to_owned(), Some("brainpoolP256r1")),
        ("ED448".to_owned(), String::new(), Some("Ed448")),
        (format!("{rsa}:2048"), "-md5".to_owned(), Some("MD5withRSA")),
    ];
    for (root, options, unverified) in rows {
        let folder = tempfile::tempdir().unwrap();
        let [leaf, root] = issued(folder.path(), &root, &options);
        let spki = public_key(&leaf).unwrap();
        let chain = chain_for(vec![root.clone(), leaf.clone()], &wanted(&spki)).unwrap();
        assert_eq!(chain.certificates, [leaf.clone(), root.clone()], "{options}");
        let trust = check_trust(&chain.certificates, std::slice::from_ref(&root), NOW).map_err(|why| why.to_string());
        match unverified {
            None => assert_eq!((chain.remarks.as_slice(), trust), (&[][..], Ok(())), "{options}"),
            Some(what) => {
                let [remark] = chain.remarks.as_slice() else { panic!("{:?}", chain.remarks) };
                assert!(remark.starts_with("The signature of CN=leaf by CN=root was not verified: "), "{remark}");
                let trust = trust.unwrap_err();
                assert!(
                    remark.contains(what) && trust.contains(what) && trust.contains("cannot be verified"),
                    "{trust}"
                );
            }
        }
        // One byte of the signature, and the root is no issuer where that can be known.
        let mut forged = leaf.as_bytes().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        let forged = CertificateDer::parse(forged).unwrap();
        let refused = chain_for(vec![forged, root], &wanted(&spki));
        assert_eq!(refused.is_err(), unverified.is_none(), "{refused:?}");
        let words = "CN=leaf was not signed by the key of the CN=root that is there";
        assert!(unverified.is_some() || refused.unwrap_err().to_string().contains(words));
    }
}

#[test]
fn unverified_issuer_with_another_key_identifier_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let [leaf, root] = issued(folder.path(), "ED448", "");
    let [_, namesake] = issued(folder.path(), "ED448", "");
    let spki = public_key(&leaf).unwrap();
    for order in [[&root, &namesake], [&namesake, &root]] {
        let all = [leaf.clone(), order[0].clone(), order[1].clone()];
        let chain = chain_among(all.to_vec(), &wanted(&spki));
        // By their identifiers: openssl's "x509 -req" writes none into the leaf unless it is asked to.
        assert!(chain.unwrap().certificates.len() == 2);
    }
}

/// Every order of some certificates.
fn orders(certificates: &[CertificateDer]) -> Vec<Vec<CertificateDer>> {
    let Some((first, rest)) = certificates.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<CertificateDer>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, first.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

fn same_in_every_order(certificates: &[CertificateDer], spki: &SpkiDer) -> Result<Chain, ChainError> {
    let chain = chain_for(certificates.to_vec(), &wanted(spki));
    for order in orders(certificates) {
        assert_eq!(chain_for(order.clone(), &wanted(spki)), chain);
        assert_eq!(chain_among(order, &wanted(spki)), chain);
    }
    chain
}

#[test]
fn cross_signed_certificates_give_one_answer_in_every_order() {
    let [a, b, middle, leaf] = [key(), key(), key(), key()];
    let ca = |name: &str, key, issuer: &str| Forged {
        issuer: common_name(issuer),
        extensions: vec![authority(&[])],
        ..Forged::new(key, &common_name(name))
    };
    let (root_a, root_b) = (ca("A", &a, "A").sign(&a), ca("B", &b, "B").sign(&b));
    let cross = ca("A", &a, "B").sign(&b);
    let by_a = ca("middle", &middle, "A").sign(&a);
    let expired = Forged { not_after: (0x17, "250102000000Z"), ..ca("middle", &middle, "B") }.sign(&b);
    let own = Forged { issuer: common_name("middle"), ..Forged::new(&leaf, &common_name("leaf")) }.sign(&middle);
    let spki = SpkiDer::parse(spki(&leaf)).unwrap();

    let all = [root_a.clone(), root_b.clone(), cross.clone(), by_a.clone(), expired.clone(), own.clone()];
    let chain = same_in_every_order(&all, &spki).unwrap();
    assert_eq!(chain.certificates, [own.clone(), by_a.clone(), root_a.clone()], "the shortest through what is valid");
    assert_eq!(
        chain.remarks.iter().filter(|remark| remark.starts_with("Left out: ")).count(),
        3,
        "{:?}",
        chain.remarks
    );
    let chain = same_in_every_order(&[root_b.clone(), cross.clone(), by_a.clone(), own.clone()], &spki).unwrap();
    assert_eq!(chain.certificates, [own.clone(), by_a.clone(), cross.clone(), root_b.clone()]);
    assert_eq!(chain.remarks, [""; 0]);
    // Whom a daemon trusts decides which of the ways is taken.
    let ways = chains_for(all.to_vec(), &wanted(&spki)).unwrap();
    for anchor in [&root_a, &root_b] {
        let trusts = |way: &&Chain| check_trust(&way.certificates, std::slice::from_ref(anchor), NOW).is_ok();
        assert!(ways.iter().any(|way| trusts(&way)));
    }
}

#[test]
fn certificates_that_sign_each_other_end() {
    let [a, b, leaf] = [key(), key(), key()];
    let spki = SpkiDer::parse(spki(&leaf)).unwrap();
    let of =
        |name: &str, key, issuer: &str| Forged { issuer: common_name(issuer), ..Forged::new(key, &common_name(name)) };
    let (ab, ba) = (of("A", &a, "B").sign(&b), of("B", &b, "A").sign(&a));
    let own = of("leaf", &leaf, "A").sign(&a);
    let chain = same_in_every_order(&[ab.clone(), ba.clone(), own.clone()], &spki).unwrap();
    assert_eq!(chain.certificates, [own.clone(), ab, ba]);

    // Thirty-one of one name and one key, each the issuer of each.
    let mut web = vec![of("leaf", &leaf, "A").sign(&a)];
    for serial in 1..32 {
        web.push(Forged { serial: vec![serial], ..of("A", &a, "A") }.sign(&a));
    }
    let before = Instant::now();
    assert_eq!(chain_for(web, &wanted(&spki)).unwrap().certificates.len(), 2);
    // The same without an end: two names in turns.
    let mut web = vec![own];
    for serial in 1..16 {
        web.push(Forged { serial: vec![serial], ..of("A", &a, "B") }.sign(&b));
        web.push(Forged { serial: vec![serial], ..of("B", &b, "A") }.sign(&a));
    }
    assert!(chain_for(web, &wanted(&spki)).is_ok());
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
}

#[test]
fn of_two_certificates_for_a_key_the_valid_one_is_taken_unless_one_is_named() {
    let [ca, leaf] = [key(), key()];
    let spki = SpkiDer::parse(spki(&leaf)).unwrap();
    let by_ca = Forged { issuer: common_name("CA"), ..Forged::new(&leaf, &common_name("leaf")) };
    let valid = by_ca.sign(&ca);
    let expired = Forged { not_after: (0x17, "250102000000Z"), serial: vec![2], ..by_ca }.sign(&ca);
    for order in [[&valid, &expired], [&expired, &valid]] {
        let both = || order.into_iter().cloned().collect::<Vec<_>>();
        let chain = chain_for(both(), &wanted(&spki)).unwrap();
        assert_eq!(chain.certificates, std::slice::from_ref(&valid));
        assert_eq!(chain.remarks, ["Left out: CN=leaf by CN=CA, valid until 2025-01-02T00:00:00.000Z."]);
        let named = ChainWanted { leaf: Some(&expired), ..wanted(&spki) };
        let chain = chain_among(both(), &named).unwrap();
        assert_eq!(chain.certificates, std::slice::from_ref(&expired));
        assert!(chain.remarks[0].contains("expired"), "{:?}", chain.remarks);
    }
}

#[test]
fn key_identifiers_choose_among_issuers_that_nothing_tells_apart() {
    let leaf = key();
    let id = |id: &[u8]| extension(0x0e, &encode(OCTET_STRING, id));
    let authority_id = extension(0x23, &encode(SEQUENCE, &encode(0x80, b"one")));
    let folder = tempfile::tempdir().unwrap();
    let [_, root] = issued(folder.path(), "ED448", "");
    // A leaf that claims an Ed448 signature, with issuers that have an Ed448 key and an identifier each.
    let of_ed448 = |forged: CertificateDer| {
        let ecdsa = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        let der = forged.as_bytes().to_vec();
        let at = der.windows(12).rposition(|bytes| bytes == ecdsa).unwrap();
        let der = [&der[..at], &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71], &der[at + 12..]].concat();
        let inner = &der[if der[1] == 0x82 { 4 } else { 3 }..];
        CertificateDer::parse(encode(SEQUENCE, inner)).unwrap()
    };
    let ed448 = public_key(&root).unwrap();
    let ca = |identifier: &[u8], serial: u8| {
        let plain = Forged::new(&leaf, &common_name("CA"));
        let spki = ed448.as_bytes().to_vec();
        of_ed448(Forged { serial: vec![serial], spki, extensions: vec![id(identifier)], ..plain }.sign(&leaf))
    };
    let (one, other) = (ca(b"one", 1), ca(b"two", 2));
    let plain = Forged::new(&leaf, &common_name("leaf"));
    let own = Forged { issuer: common_name("CA"), extensions: vec![authority_id], ..plain };
    let own = of_ed448(own.sign(&leaf));
    let spki = SpkiDer::parse(spki(&leaf)).unwrap();
    for order in orders(&[one.clone(), other, own.clone()]) {
        assert_eq!(chain_among(order, &wanted(&spki)).unwrap().certificates, [own.clone(), one.clone()]);
    }
}

//! Bodies of the fuzz targets for formats: `fuzz/` gives them bytes, and tests replay its seeds.
//!
//! Every function takes any bytes and panics where a property does not hold.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a property that does not hold ends the run")]

#[cfg(test)]
mod tests;

use std::slice::from_ref;

use crate::keyfile::{self, KeyFileFormat};
use crate::x509::pem_reader::{PemInput, read_pem_or_der};
use crate::x509::{self, CertificateSummary, ChainWanted, KeyFacts, RequestInfo};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{CertificateDer, KeyAlgorithm, SpkiDer};
use strongroom_domain::secret::Secret;

/// The password of the encrypted key files among the seeds.
const PASSWORD: &[u8] = b"Correct Horse 1";

/// The public key of the chains among the seeds of `csr_responses`.
const OWN_KEY: &[u8] = include_bytes!("../../../fuzz/seeds/own-key.spki.der");

/// A moment in 2027.
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// Key files: a key that is read is read again from its PKCS#8, and is the same.
pub fn key_files(data: &[u8]) {
    let password = Secret::new(PASSWORD.to_vec());
    for format in [None, Some(KeyFileFormat::Pkcs12), Some(KeyFileFormat::Pem)] {
        let Ok(read) = keyfile::read(data, format, &password) else { continue };
        let Ok(again) = keyfile::read(read.pkcs8.expose(), None, &password) else {
            panic!("the PKCS#8 of a key that was read cannot be read")
        };
        assert_eq!((read.algorithm, &read.spki), (again.algorithm, &again.spki));
        let wanted = ChainWanted { spki: &read.spki, leaf: read.leaf.as_ref(), now: NOW };
        if let Ok(chain) = x509::chain_among(read.certificates, &wanted) {
            show(&chain.certificates);
        }
    }
}

/// PEM: the bytes under the armour are the same under a new one.
pub fn pem(data: &[u8]) {
    let contents = match read_pem_or_der(data) {
        Ok(PemInput::Bare(bytes)) => vec![bytes],
        Ok(PemInput::Pem(blocks)) => blocks.into_iter().map(|block| block.contents).collect(),
        Err(_) => return,
    };
    for bytes in contents {
        let armoured = x509::encode_pem("CERTIFICATE", &bytes);
        match read_pem_or_der(armoured.as_bytes()) {
            Ok(PemInput::Pem(blocks)) => assert!(matches!(blocks.as_slice(), [block] if block.contents == bytes)),
            other => panic!("PEM that was written is read as {other:?}"),
        }
    }
}

/// BER: its DER is not made anew, and grows by no more than the lengths that were left open.
pub fn ber(data: &[u8]) {
    let Some(der) = x509::to_der(data) else { return };
    assert!(x509::to_der(&der).is_none());
    // An element takes two bytes at least, and its length nine at most.
    assert!(der.len() <= data.len() * 5);
}

/// Certificates and PKCS#7: each that is taken in can be shown, and a certification request made of it.
pub fn certificates(data: &[u8]) {
    let Ok(found) = x509::certificates(data) else { return };
    show(&found);
    for certificate in &found {
        let Ok(spki) = x509::public_key(certificate) else { continue };
        if let Ok(chain) = x509::chain_for(found.clone(), &ChainWanted { spki: &spki, leaf: None, now: NOW }) {
            let leaf = chain.certificates.first();
            assert!(leaf.is_some_and(|leaf| x509::is_for_key(leaf, &spki)));
            let mut turned = found.clone();
            turned.reverse();
            assert_eq!(x509::chain_for(turned, &ChainWanted { spki: &spki, leaf: None, now: NOW }), Ok(chain));
        }
        let signatures = x509::algorithm_of(&spki).map(KeyAlgorithm::signature_algorithms).unwrap_or_default();
        if let Some(algorithm) = signatures.first()
            && x509::check_readable(from_ref(certificate)).is_ok()
            && let Err(failure) = RequestInfo::for_certificate(certificate, &spki, *algorithm)
        {
            panic!("no request for a certificate that was taken in: {failure}");
        }
    }
}

/// Responses to certification requests: chains for a known key.
pub fn csr_responses(data: &[u8]) {
    let Ok(spki) = SpkiDer::parse(OWN_KEY.to_vec()) else { panic!("the own key is an SPKI") };
    let wanted = ChainWanted { spki: &spki, leaf: None, now: NOW };
    let Ok(chain) = x509::certificates(data).and_then(|found| x509::chain_for(found, &wanted)) else { return };
    let chain = chain.certificates;
    assert!(chain.first().is_some_and(|leaf| x509::is_for_key(leaf, &spki)));
    assert!(chain.windows(2).all(|pair| matches!(pair, [leaf, issuer] if x509::is_issued_by(leaf, issuer))));
    show(&chain);
    let anchors: Vec<CertificateDer> = chain.last().cloned().into_iter().collect();
    drop(x509::check_trust(&chain, &anchors, NOW));
}

/// Names: alternative names and subjects as people write them, distinguished names as certificates hold them.
pub fn names(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        x509::fuzz::alternative_name(text);
        x509::fuzz::subject(text);
    }
    x509::fuzz::distinguished_name(data);
}

/// Certificates that pass the gate can be shown by every view.
fn show(certificates: &[CertificateDer]) {
    for certificate in certificates {
        drop(CertificateSummary::remains(certificate));
        if x509::check_readable(from_ref(certificate)).is_err() {
            continue;
        }
        let shown = CertificateSummary::of(certificate).is_ok()
            && KeyFacts::of(certificate).is_ok()
            && x509::one_line_subject(certificate).is_ok()
            && x509::certificates_only(certificate).is_ok();
        assert!(shown, "a certificate that was let in cannot be shown");
    }
}

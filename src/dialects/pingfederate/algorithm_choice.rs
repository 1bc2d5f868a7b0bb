//! The key algorithm and signature algorithm that a request asks for.

use super::algorithms::{FAMILIES, default_of, family_name, members};
use super::rules::{non_empty, one_of, required};
use crate::services::lifecycle::Capabilities;
use strongroom_domain::error::{Rule, Violation};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily, SignatureAlgorithm};

const NAME: &str = "keyAlgorithm";
const SIZE: &str = "keySize";
const SIGNATURE: &str = "signatureAlgorithm";

/// The algorithms of a request, by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct AlgorithmRequest<'a> {
    pub key_algorithm: Option<&'a String>,
    pub key_size: Option<i32>,
    pub signature_algorithm: Option<&'a String>,
}

/// Algorithms that fit each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AlgorithmChoice {
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
    pub permitted: Vec<SignatureAlgorithm>,
}

/// Chooses by the request, its gaps filled by defaults, within what the provider can do.
///
/// A provider that was never ready cannot be asked, and limits nothing.
pub(super) fn choose(
    asked: AlgorithmRequest<'_>,
    capabilities: Option<&Capabilities>,
    findings: &mut Vec<Violation>,
) -> Option<AlgorithmChoice> {
    let family = family(non_empty(asked.key_algorithm), findings);
    let algorithm = family.and_then(|family| sized(family, asked.key_size, findings));
    let signature = signature(non_empty(asked.signature_algorithm), family, algorithm, findings);
    let (algorithm, signature) = (algorithm?, signature?);
    let able = capabilities.is_none_or(|capabilities| is_able(capabilities, algorithm, signature, findings));
    able.then(|| AlgorithmChoice {
        algorithm,
        signature_algorithm: signature,
        permitted: permitted(algorithm, signature, capabilities),
    })
}

fn family(name: Option<&str>, findings: &mut Vec<Violation>) -> Option<KeyFamily> {
    let Some(name) = name else {
        required(NAME, findings);
        return None;
    };
    let family = FAMILIES.into_iter().find(|family| family_name(*family) == name);
    if family.is_none() {
        let message = format!("{NAME} must be one of {}.", one_of(FAMILIES.map(family_name)));
        findings.push(Violation::at(NAME, Rule::InvalidValue, message));
    }
    family
}

fn sized(family: KeyFamily, size: Option<i32>, findings: &mut Vec<Violation>) -> Option<KeyAlgorithm> {
    let Some(size) = size else { return Some(default_of(family)) };
    let algorithm = members(family).find(|algorithm| u32::try_from(size) == Ok(algorithm.bits()));
    if algorithm.is_none() {
        let sizes = one_of(members(family).map(KeyAlgorithm::bits));
        let message = format!("{SIZE} of {} must be one of {sizes}.", family_name(family));
        findings.push(Violation::at(SIZE, Rule::InvalidValue, message));
    }
    algorithm
}

/// The signature algorithm, judged by the family even where the size is wrong.
fn signature(
    name: Option<&str>,
    family: Option<KeyFamily>,
    algorithm: Option<KeyAlgorithm>,
    findings: &mut Vec<Violation>,
) -> Option<SignatureAlgorithm> {
    let Some(name) = name else { return algorithm.map(KeyAlgorithm::default_signature_algorithm) };
    let fitting: Vec<_> = SignatureAlgorithm::ALL
        .into_iter()
        .filter(|signature| family.is_none_or(|family| signature.fits(default_of(family))))
        .collect();
    let found = fitting.iter().copied().find(|signature| signature.jca_name() == name);
    if found.is_none() {
        let whose = family.map(|family| format!(" of {}", family_name(family))).unwrap_or_default();
        let message = format!("{SIGNATURE}{whose} must be one of {}.", one_of(fitting));
        findings.push(Violation::at(SIGNATURE, Rule::InvalidValue, message));
    }
    found
}

pub(super) fn is_able(
    capabilities: &Capabilities,
    algorithm: KeyAlgorithm,
    signature: SignatureAlgorithm,
    findings: &mut Vec<Violation>,
) -> bool {
    let can = |algorithm: &KeyAlgorithm| capabilities.signatures_of(*algorithm).is_some();
    let name = family_name(algorithm.family());
    let (path, message) = match capabilities.signatures_of(algorithm) {
        Some(signatures) if signatures.contains(&signature) => return true,
        Some(signatures) => {
            (SIGNATURE, format!("The crypto provider signs with {name} as one of {}.", one_of(signatures)))
        }
        None if members(algorithm.family()).any(|member| can(&member)) => {
            let sizes = one_of(members(algorithm.family()).filter(can).map(KeyAlgorithm::bits));
            (SIZE, format!("The crypto provider can generate {name} with a {SIZE} of {sizes}."))
        }
        None => {
            let families = FAMILIES.into_iter().filter(|family| members(*family).any(|member| can(&member)));
            (NAME, format!("The crypto provider can generate {}.", one_of(families.map(family_name))))
        }
    };
    findings.push(Violation::at(path, Rule::NotSupportedByProvider, message));
    false
}

/// What is usual for the algorithm and what was asked for, as far as the provider can.
pub(super) fn permitted(
    algorithm: KeyAlgorithm,
    asked: SignatureAlgorithm,
    capabilities: Option<&Capabilities>,
) -> Vec<SignatureAlgorithm> {
    let able = capabilities.and_then(|capabilities| capabilities.signatures_of(algorithm));
    let usual = algorithm.usual_signature_algorithms();
    let mut permitted = algorithm.signature_algorithms();
    permitted.retain(|signature| usual.contains(signature) || *signature == asked);
    permitted.retain(|signature| able.is_none_or(|able| able.contains(signature)));
    permitted
}

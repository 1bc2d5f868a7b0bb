//! The key algorithm and signature algorithm that a request asks for.

use super::algorithms::{members, names};
use super::members::{non_empty, one_of, required};
use crate::services::lifecycle::Capabilities;
use strongroom_domain::error::{Rule, Violation};
use strongroom_domain::key::{KeyAlgorithm, SignatureAlgorithm};

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
    let name = name(non_empty(asked.key_algorithm), findings);
    let algorithm = name.and_then(|name| sized(name, asked.key_size, findings));
    let signature = signature(non_empty(asked.signature_algorithm), name, algorithm, findings);
    let (algorithm, signature) = (algorithm?, signature?);
    let able = capabilities.is_none_or(|capabilities| is_able(capabilities, algorithm, signature, findings));
    able.then(|| AlgorithmChoice {
        algorithm,
        signature_algorithm: signature,
        permitted: Capabilities::permitted(capabilities, algorithm, signature),
    })
}

fn name(asked: Option<&str>, findings: &mut Vec<Violation>) -> Option<&'static str> {
    let Some(asked) = asked else {
        required(NAME, findings);
        return None;
    };
    let name = names().into_iter().find(|name| *name == asked);
    if name.is_none() {
        let message = format!("{NAME} must be one of {}.", one_of(names()));
        findings.push(Violation::at(NAME, Rule::InvalidValue, message));
    }
    name
}

fn sized(name: &str, size: Option<i32>, findings: &mut Vec<Violation>) -> Option<KeyAlgorithm> {
    let Some(size) = size else { return members(name).next() };
    let algorithm = members(name).find(|algorithm| u32::try_from(size) == Ok(algorithm.bits()));
    if algorithm.is_none() {
        let sizes = one_of(members(name).map(KeyAlgorithm::bits));
        let message = format!("{SIZE} of {name} must be one of {sizes}.");
        findings.push(Violation::at(SIZE, Rule::InvalidValue, message));
    }
    algorithm
}

/// The signature algorithm, judged by the key algorithm's name even where the size is wrong.
fn signature(
    asked: Option<&str>,
    name: Option<&str>,
    algorithm: Option<KeyAlgorithm>,
    findings: &mut Vec<Violation>,
) -> Option<SignatureAlgorithm> {
    let Some(asked) = asked else { return algorithm.map(KeyAlgorithm::default_signature_algorithm) };
    let any = |signature: &SignatureAlgorithm, name| members(name).any(|key| signature.fits(key));
    let fitting: Vec<_> = SignatureAlgorithm::all().filter(|each| name.is_none_or(|name| any(each, name))).collect();
    let found = fitting.iter().copied().find(|signature| signature.jca_name() == asked);
    if found.is_none() {
        let whose = name.map(|name| format!(" of {name}")).unwrap_or_default();
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
    let name = algorithm.jca_name();
    let (path, message) = match capabilities.signatures_of(algorithm) {
        Some(signatures) if signatures.contains(&signature) => return true,
        Some(signatures) => {
            (SIGNATURE, format!("The crypto provider signs with {name} as one of {}.", one_of(signatures)))
        }
        None if members(name).any(|member| can(&member)) => {
            let sizes = one_of(members(name).filter(can).map(KeyAlgorithm::bits));
            (SIZE, format!("The crypto provider can generate {name} with a {SIZE} of {sizes}."))
        }
        None => {
            let able = names().into_iter().filter(|name| members(name).any(|member| can(&member)));
            (NAME, format!("The crypto provider can generate {}.", one_of(able)))
        }
    };
    findings.push(Violation::at(path, Rule::NotSupportedByProvider, message));
    false
}

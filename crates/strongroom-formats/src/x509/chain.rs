//! The chain of a key, put in order: the same whatever the order in which its certificates came.
//!
//! Source: RFC 5280 section 6.1 for what a path is, RFC 4158 for what to prefer where there are several.

use super::distinguished_name::ComparableName;
use super::foreign_key::is_same_key;
use super::issuance::{Issuance, issuance_of_namesakes};
use super::issuer::check_ca;
use super::parsed::ParsedCertificate;
use super::summary::ParseError;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{CertificateDer, SpkiDer};

/// Paths that are compared where cross-signed certificates allow several.
const MOST_PATHS: usize = 64;

/// Steps that are taken to find them, which bounds what a web of certificates can cost.
const MOST_STEPS: usize = 4096;

/// Why certificates are no chain for a key; what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ChainError(pub String);

/// What a chain is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct ChainWanted<'a> {
    /// The key that the leaf is for.
    pub spki: &'a SpkiDer,
    /// The leaf, where one of several for the key was named.
    pub leaf: Option<&'a CertificateDer>,
    /// Of several ways, one through certificates that are valid now is taken.
    pub now: Timestamp,
}

/// Certificates in order, and what should be known about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The leaf, then each one's issuer.
    pub certificates: Vec<CertificateDer>,
    /// Signatures that could not be verified and certificates that were left out, a sentence each.
    pub remarks: Vec<String>,
}

/// The certificate whose key is wanted, then its issuers in order.
///
/// An issuer that nobody sent ends the chain, known or not; certificates sent twice count once.
///
/// # Errors
/// When no certificate has the key, or one has no place in any chain of it.
pub fn chain_for(certificates: Vec<CertificateDer>, wanted: &ChainWanted<'_>) -> Result<Chain, ChainError> {
    let none = || ChainError("there is no certificate in it".to_owned());
    chains_for(certificates, wanted)?.into_iter().next().ok_or_else(none)
}

/// The same among certificates that have nothing to do with it, as key files hold: these are left out.
///
/// # Errors
/// When no certificate has the key, or the chain has a gap: an issuer is missing, and there is a
/// certificate authority that it might have led to.
pub fn chain_among(certificates: Vec<CertificateDer>, wanted: &ChainWanted<'_>) -> Result<Chain, ChainError> {
    let certificates = sorted(certificates)?;
    let web = Web::of(&certificates, wanted)?;
    let path = web.paths().into_iter().next().unwrap_or_default();
    let gap = !web.is_complete(&path) && web.strangers().iter().any(|other| web.is_ca(*other));
    if gap { Err(web.complaint(&path)) } else { Ok(web.chain(&path)) }
}

/// The chain of [`chain_for`] by every way that cross-signed certificates allow, the best first.
///
/// # Errors
/// Those of [`chain_for`].
pub fn chains_for(certificates: Vec<CertificateDer>, wanted: &ChainWanted<'_>) -> Result<Vec<Chain>, ChainError> {
    let certificates = sorted(certificates)?;
    let web = Web::of(&certificates, wanted)?;
    let paths = web.paths();
    match paths.first() {
        Some(path) if !web.strangers().is_empty() => Err(web.complaint(path)),
        _ => Ok(paths.iter().map(|path| web.chain(path)).collect()),
    }
}

/// Each certificate once, in an order of their own.
fn sorted(mut certificates: Vec<CertificateDer>) -> Result<Vec<CertificateDer>, ChainError> {
    certificates.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    certificates.dedup();
    if certificates.is_empty() {
        return Err(ChainError("there is no certificate in it, where that for the key is needed".to_owned()));
    }
    Ok(certificates)
}

/// Certificates and who may have issued whom.
struct Web<'a> {
    nodes: Vec<Node<'a>>,
    leaf: usize,
    now: Timestamp,
}

struct Node<'a> {
    certificate: &'a CertificateDer,
    parsed: ParsedCertificate<'a>,
    has_key: bool,
    /// Those that bear the name of its issuer, itself included.
    namesakes: Vec<(usize, Issuance)>,
}

impl<'a> Web<'a> {
    fn of(certificates: &'a [CertificateDer], wanted: &ChainWanted<'_>) -> Result<Self, ChainError> {
        let unreadable = |why: ParseError| ChainError(why.to_string());
        let mut nodes = Vec::with_capacity(certificates.len());
        let mut subjects = Vec::with_capacity(certificates.len());
        for certificate in certificates {
            let parsed = ParsedCertificate::of(certificate).map_err(unreadable)?;
            let has_key = is_same_key(parsed.spki, wanted.spki.as_bytes());
            subjects.push(parsed.subject.comparable());
            nodes.push(Node { certificate, parsed, has_key, namesakes: Vec::new() });
        }
        let namesakes: Vec<_> = nodes.iter().map(|node| namesakes(node, &nodes, &subjects)).collect();
        for (node, namesakes) in nodes.iter_mut().zip(namesakes) {
            node.namesakes = namesakes;
        }
        let leaf = leaf(&nodes, wanted)?;
        Ok(Self { nodes, leaf, now: wanted.now })
    }

    /// The ways from the leaf to where nothing leads further, the best first.
    fn paths(&self) -> Vec<Vec<usize>> {
        let (mut found, mut steps) = (Vec::new(), 0);
        self.follow(&mut vec![self.leaf], &mut found, &mut steps);
        // The sort is stable: the first that was found of those that are as good.
        found.sort_by_key(|path| self.faults(path));
        found
    }

    fn follow(&self, path: &mut Vec<usize>, found: &mut Vec<Vec<usize>>, steps: &mut usize) {
        *steps += 1;
        let Some(last) = path.last().and_then(|last| self.nodes.get(*last)) else { return };
        let is_end = last.is_self_issued(path.last().copied());
        let mut next: Vec<usize> = last.possible().filter(|issuer| !is_end && !path.contains(issuer)).collect();
        next.sort_by_key(|issuer| self.nodes.get(*issuer).map(|node| node.rank(self.now)));
        if next.is_empty() {
            found.push(path.clone());
        }
        for issuer in next {
            if found.len() >= MOST_PATHS || *steps >= MOST_STEPS {
                // A way that is not followed to its end is one all the same.
                found.push(path.clone());
                return;
            }
            path.push(issuer);
            self.follow(path, found, steps);
            path.pop();
        }
    }

    /// What speaks against a path: signatures that are not verified, a missing end, certificates that are not valid now.
    fn faults(&self, path: &[usize]) -> (bool, bool, usize, usize, usize) {
        let nodes = || path.iter().filter_map(|index| self.nodes.get(*index));
        let unverified = self.links(path).filter(|(_, issuance)| **issuance != Issuance::Verified).count();
        let invalid = nodes().filter(|node| !node.is_valid(self.now)).count();
        (unverified > 0, !self.is_complete(path), invalid, unverified, path.len())
    }

    /// The links of a path, by the certificate that was issued.
    fn links(&self, path: &[usize]) -> impl Iterator<Item = (&Node<'a>, &Issuance)> {
        path.iter().zip(path.iter().skip(1)).filter_map(|(index, issuer)| {
            let node = self.nodes.get(*index)?;
            node.namesakes.iter().find(|(known, _)| known == issuer).map(|(_, issuance)| (node, issuance))
        })
    }

    /// Whether the last certificate is its own issuer.
    fn is_complete(&self, path: &[usize]) -> bool {
        path.last().and_then(|last| self.nodes.get(*last)).is_some_and(|node| node.is_self_issued(path.last().copied()))
    }

    /// Those that no way from the leaf reaches, and that are not for its key.
    fn strangers(&self) -> Vec<usize> {
        let mut reached = vec![self.leaf];
        let mut next = 0;
        while let Some(node) = reached.get(next).and_then(|index| self.nodes.get(*index)) {
            let issuers: Vec<usize> = node.possible().filter(|issuer| !reached.contains(issuer)).collect();
            reached.extend(issuers);
            next += 1;
        }
        let is_stranger = |(index, node): &(usize, &Node<'_>)| !node.has_key && !reached.contains(index);
        self.nodes.iter().enumerate().filter(is_stranger).map(|(index, _)| index).collect()
    }

    fn is_ca(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(|node| check_ca(node.certificate).is_ok())
    }

    fn chain(&self, path: &[usize]) -> Chain {
        let certificates =
            path.iter().filter_map(|index| self.nodes.get(*index)).map(|node| node.certificate.clone()).collect();
        let unverified = self.links(path).filter_map(|(node, issuance)| match issuance {
            Issuance::Unverified(what) => {
                let (name, issuer) = (node.parsed.subject.to_text(), node.parsed.issuer.to_text());
                Some(format!("The signature of {name} by {issuer} was not verified: {what}."))
            }
            _ => None,
        });
        let strangers = self.strangers();
        let left_out =
            self.nodes.iter().enumerate().filter(|(index, _)| !path.contains(index) && !strangers.contains(index));
        let left_out = left_out.map(|(_, node)| format!("Left out: {}.", node.description()));
        let leaf = self.nodes.get(self.leaf).filter(|leaf| leaf.parsed.not_after < self.now);
        let expired = leaf.filter(|_| self.nodes.iter().any(|node| node.has_key && node.is_valid(self.now)));
        let expired = expired.map(|leaf| format!("The file names an expired certificate: {}.", leaf.description()));
        Chain { certificates, remarks: expired.into_iter().chain(unverified).chain(left_out).collect() }
    }

    /// Why strangers cannot stand in a chain.
    fn complaint(&self, path: &[usize]) -> ChainError {
        let names: Vec<String> = self
            .strangers()
            .iter()
            .filter_map(|index| self.nodes.get(*index))
            .map(|node| node.parsed.subject.to_text())
            .collect();
        let names = names.join("; ");
        let last = path.last().and_then(|last| self.nodes.get(*last));
        ChainError(match last.filter(|_| !self.is_complete(path)) {
            Some(last) if last.namesakes.is_empty() => {
                let missing = last.parsed.issuer.to_text();
                format!("a chain with a gap: the issuer {missing} is missing, so that nothing leads to {names}")
            }
            Some(last) => {
                let (name, issuer) = (last.parsed.subject.to_text(), last.parsed.issuer.to_text());
                format!("a chain with a gap: {name} was not signed by the key of the {issuer} that is there")
            }
            None => format!("not part of the chain: {names}"),
        })
    }
}

impl Node<'_> {
    fn is_valid(&self, now: Timestamp) -> bool {
        self.parsed.not_before <= now && now <= self.parsed.not_after
    }

    fn possible(&self) -> impl Iterator<Item = usize> {
        self.namesakes.iter().filter(|(_, issuance)| issuance.is_possible()).map(|(index, _)| *index)
    }

    /// Whether it is among those that may have issued it.
    fn is_self_issued(&self, own: Option<usize>) -> bool {
        own.is_some_and(|own| self.possible().any(|issuer| issuer == own))
    }

    /// What makes one of several better, the least first: valid, and longest so.
    fn rank(&self, now: Timestamp) -> (bool, std::cmp::Reverse<Timestamp>, std::cmp::Reverse<Timestamp>) {
        let Self { parsed: ParsedCertificate { not_before, not_after, .. }, .. } = self;
        (!self.is_valid(now), std::cmp::Reverse(*not_after), std::cmp::Reverse(*not_before))
    }

    fn description(&self) -> String {
        let ParsedCertificate { subject, issuer, not_after, .. } = &self.parsed;
        format!("{} by {}, valid until {not_after}", subject.to_text(), issuer.to_text())
    }
}

fn namesakes(node: &Node<'_>, nodes: &[Node<'_>], subjects: &[ComparableName]) -> Vec<(usize, Issuance)> {
    let issuer = node.parsed.issuer.comparable();
    let same = nodes.iter().zip(subjects).enumerate().filter(|(_, (_, subject))| **subject == issuer);
    same.map(|(index, (other, _))| (index, issuance_of_namesakes(&node.parsed, &other.parsed))).collect()
}

/// The leaf: the one that was named, else of those for the key the one that is valid, by an issuer of another name, and
/// valid longest.
fn leaf(nodes: &[Node<'_>], wanted: &ChainWanted<'_>) -> Result<usize, ChainError> {
    let named = |node: &Node<'_>| wanted.leaf == Some(node.certificate);
    let own = |index: usize, node: &Node<'_>| node.is_self_issued(Some(index));
    let for_key = nodes.iter().enumerate().filter(|(_, node)| node.has_key);
    let best = for_key.min_by_key(|(index, node)| {
        let (invalid, end, begin) = node.rank(wanted.now);
        (!named(node), invalid, own(*index, node), end, begin)
    });
    best.map(|(index, _)| index)
        .ok_or_else(|| ChainError("no certificate is for this key: the public keys differ".to_owned()))
}

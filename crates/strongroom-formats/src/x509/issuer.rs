//! Who may issue certificates, and whether a chain leads to somebody trusted (RFC 5280 section 6.1).

use super::issuance::{Issuance, issuance_of};
use super::parsed::ParsedCertificate;
use super::summary::ParseError;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::CertificateDer;

/// Why a certificate is none of a certificate authority, or a chain leads to none that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    #[error("{0}")]
    Flawed(String),
    /// Nothing here verifies signatures of this kind.
    #[error("the signature of {name} cannot be verified here ({kind})")]
    Unverified { name: String, kind: String },
}

/// Checks that a certificate may issue others: a CA by its basic constraints, and by its key usage where it has one.
///
/// Sources: RFC 5280 sections 4.2.1.3 and 4.2.1.9.
///
/// # Errors
/// What it lacks.
pub fn check_ca(certificate: &CertificateDer) -> Result<(), Untrusted> {
    Issuer::read(certificate).map(drop)
}

/// Checks that a chain, its leaf first, leads to one of `anchors` through certificate authorities that are valid `now`.
///
/// Each of the chain must be issued by the next, and every signature on the way be one that is verified here. Those
/// behind the one that leads to an anchor are of no matter.
///
/// # Errors
/// When it leads to none, or why not by this way.
pub fn check_trust(chain: &[CertificateDer], anchors: &[CertificateDer], now: Timestamp) -> Result<(), Untrusted> {
    let mut flaw = Untrusted::Flawed("its issuer is none of the trusted certificate authorities".to_owned());
    for (index, last) in chain.iter().enumerate() {
        for anchor in anchors {
            let between = if anchor == last {
                chain.get(1..index)
            } else {
                match issuance_of(last, anchor) {
                    Issuance::Verified => chain.get(1..=index),
                    Issuance::Unverified(what) => {
                        flaw = unverified(last, &what);
                        continue;
                    }
                    Issuance::Refuted | Issuance::Strangers => continue,
                }
            };
            let way = check_signatures(chain.get(..=index).unwrap_or_default());
            match way.and_then(|()| check_issuers(between.unwrap_or_default().iter().chain([anchor]), now)) {
                Ok(()) => return Ok(()),
                Err(failure) => flaw = failure,
            }
        }
    }
    Err(flaw)
}

/// Checks that each certificate has a signature that is known to be by the next one's key.
fn check_signatures(chain: &[CertificateDer]) -> Result<(), Untrusted> {
    for pair in chain.windows(2) {
        if let [certificate, issuer] = pair
            && let Issuance::Unverified(what) = issuance_of(certificate, issuer)
        {
            return Err(unverified(certificate, &what));
        }
    }
    Ok(())
}

fn unverified(certificate: &CertificateDer, what: &str) -> Untrusted {
    let name = ParsedCertificate::of(certificate).map(|parsed| parsed.subject.to_text()).unwrap_or_default();
    Untrusted::Unverified { name, kind: what.to_owned() }
}

/// Checks the issuers of a leaf, from the nearest to the anchor.
fn check_issuers<'a>(issuers: impl Iterator<Item = &'a CertificateDer>, now: Timestamp) -> Result<(), Untrusted> {
    // Those between the leaf and the issuer at hand, which its path length limits.
    let mut below = 0_usize;
    for certificate in issuers {
        let issuer = Issuer::read(certificate)?;
        if now < issuer.not_before || issuer.not_after < now {
            return Err(issuer.flaw("is not valid now"));
        }
        if issuer.most_below.is_some_and(|most| most < below) {
            return Err(issuer.flaw("allows fewer certificate authorities below it (pathLenConstraint)"));
        }
        if !issuer.is_self_issued {
            below += 1;
        }
    }
    Ok(())
}

/// What counts about the certificate of a certificate authority.
struct Issuer {
    name: String,
    not_before: Timestamp,
    not_after: Timestamp,
    is_self_issued: bool,
    most_below: Option<usize>,
}

impl Issuer {
    fn read(certificate: &CertificateDer) -> Result<Self, Untrusted> {
        let unreadable = |failure: ParseError| Untrusted::Flawed(failure.to_string());
        let parsed = ParsedCertificate::of(certificate).map_err(unreadable)?;
        let constraints = parsed.constraints().map_err(unreadable)?;
        let issuer = Self {
            name: parsed.subject.to_text(),
            not_before: parsed.not_before,
            not_after: parsed.not_after,
            is_self_issued: parsed.subject.comparable() == parsed.issuer.comparable(),
            most_below: constraints.and_then(|constraints| constraints.path_length),
        };
        if !constraints.is_some_and(|constraints| constraints.is_ca) {
            return Err(issuer.flaw("is no certificate authority (basicConstraints)"));
        }
        if !parsed.may_sign_certificates().map_err(unreadable)? {
            return Err(issuer.flaw("must not sign certificates (keyUsage)"));
        }
        Ok(issuer)
    }

    fn flaw(&self, what: &str) -> Untrusted {
        Untrusted::Flawed(format!("{} {what}", self.name))
    }
}

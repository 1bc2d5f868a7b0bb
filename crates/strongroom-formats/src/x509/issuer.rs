//! Who may issue certificates, and whether a chain leads to somebody trusted (RFC 5280 section 6.1).

use der::Decode;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use super::bundle::is_issued_by;
use super::name::distinguished_name;
use super::summary::timestamp;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::CertificateDer;

/// Why a certificate is none of a certificate authority, or a chain leads to none that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untrusted(pub String);

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
/// Each of the chain must be issued by the next. Those behind the one that leads to an anchor are of no matter.
///
/// # Errors
/// When it leads to none, or why not by this way.
pub fn check_trust(chain: &[CertificateDer], anchors: &[CertificateDer], now: Timestamp) -> Result<(), Untrusted> {
    let mut flaw = Untrusted("its issuer is none of the trusted certificate authorities".to_owned());
    for (index, last) in chain.iter().enumerate() {
        for anchor in anchors {
            let between = if anchor == last {
                chain.get(1..index)
            } else if is_issued_by(last, anchor) {
                chain.get(1..=index)
            } else {
                continue;
            };
            match check_issuers(between.unwrap_or_default().iter().chain([anchor]), now) {
                Ok(()) => return Ok(()),
                Err(failure) => flaw = failure,
            }
        }
    }
    Err(flaw)
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
        if issuer.most_below.is_some_and(|most| usize::from(most) < below) {
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
    most_below: Option<u8>,
}

impl Issuer {
    fn read(certificate: &CertificateDer) -> Result<Self, Untrusted> {
        let unreadable = |failure: der::Error| Untrusted(format!("a certificate cannot be read: {failure}"));
        let parsed = Certificate::from_der(certificate.as_bytes()).map_err(unreadable)?;
        let tbs = parsed.tbs_certificate();
        let constraints = tbs.get_extension::<BasicConstraints>().map_err(unreadable)?;
        let usage = tbs.get_extension::<KeyUsage>().map_err(unreadable)?;
        let issuer = Self {
            name: distinguished_name(tbs.subject()),
            not_before: timestamp(tbs.validity().not_before),
            not_after: timestamp(tbs.validity().not_after),
            is_self_issued: tbs.subject() == tbs.issuer(),
            most_below: constraints.as_ref().and_then(|(_, constraints)| constraints.path_len_constraint),
        };
        if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(issuer.flaw("is no certificate authority (basicConstraints)"));
        }
        if usage.is_some_and(|(_, usage)| !usage.key_cert_sign()) {
            return Err(issuer.flaw("must not sign certificates (keyUsage)"));
        }
        Ok(issuer)
    }

    fn flaw(&self, what: &str) -> Untrusted {
        Untrusted(format!("{} {what}", self.name))
    }
}

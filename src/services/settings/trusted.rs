//! Trusted certificate authorities.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Catalog, DocumentChange, DocumentReferences, read, unreadable};
use crate::auth::{Caller, policy};
use crate::store::{DocumentKind, PutOutcome, StoredDocument};
use strongroom_domain::error::{Error, Field, FieldViolation, Reason};
use strongroom_domain::key::CertificateDer;
use strongroom_formats::x509::{certificates, check_ca, check_readable};

const KIND: DocumentKind = DocumentKind::TrustedCa;

/// A trusted certificate authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedCa {
    pub id: String,
    pub certificate: CertificateDer,
}

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    /// DER in base64.
    certificate: String,
}

impl TrustedCa {
    /// Reads the one certificate of a file, which must be that of a CA.
    ///
    /// # Errors
    /// A violation at the certificate.
    pub fn from_file(id: String, data: &[u8]) -> Result<Self, FieldViolation> {
        let found = certificates(data).map_err(|why| unusable(&why))?;
        let [certificate] =
            <[CertificateDer; 1]>::try_from(found).map_err(|_| unusable(&"it has more than one certificate"))?;
        check_readable(std::slice::from_ref(&certificate)).map_err(|why| unusable(&why))?;
        check_ca(&certificate).map_err(|why| unusable(&why))?;
        Ok(Self { id, certificate })
    }
}

impl Catalog {
    /// Every trusted CA, by id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn trusted_cas(&self, who: &Caller) -> Result<Vec<TrustedCa>, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        self.store.documents(KIND).await?.iter().map(ca).collect()
    }

    /// Trusts a CA.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` when the id is taken, and at the certificate when the certificate cannot be shown.
    pub async fn add_trusted_ca(&self, who: &Caller, ca: TrustedCa) -> Result<(), Error> {
        policy::allow(who, policy::Action::ChangeSettings, policy::Resource::Daemon)?;
        check_readable(std::slice::from_ref(&ca.certificate)).map_err(|why| unusable(&why))?;
        let body = Body { certificate: STANDARD.encode(ca.certificate.as_bytes()) };
        let change = DocumentChange { who, kind: KIND, id: &ca.id };
        match self.put(change, &body, DocumentReferences { references: &[], new: true }).await? {
            PutOutcome::Done => Ok(()),
            PutOutcome::Exists | PutOutcome::NoSuchRing(_) => {
                Err(Error::refused(Field::TrustedCaId, Reason::IdInUse(ca.id)))
            }
        }
    }

    /// Trusts a CA no longer.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn delete_trusted_ca(&self, who: &Caller, id: &str) -> Result<(), Error> {
        policy::allow(who, policy::Action::ChangeSettings, policy::Resource::Daemon)?;
        self.remove(DocumentChange { who, kind: KIND, id }).await
    }
}

fn unusable(why: &impl ToString) -> FieldViolation {
    FieldViolation { field: Field::TrustedCertificate, reason: Reason::CertificateUnusable(why.to_string()) }
}

fn ca(document: &StoredDocument) -> Result<TrustedCa, Error> {
    let body: Body = read(document)?;
    let der = STANDARD.decode(body.certificate).map_err(unreadable)?;
    // One that cannot be read any more must not hide the others: whoever shows it says so.
    Ok(TrustedCa { id: document.id.clone(), certificate: CertificateDer::from_stored(der) })
}

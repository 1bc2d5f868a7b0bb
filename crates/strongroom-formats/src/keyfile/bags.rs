//! The bags of a PKCS#12 file: keys and certificates with their attributes (RFC 7292 section 4.2).

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::detect::KeyFileShape;
use super::kdf::Password;
use super::kdf_budget::KdfBudget;
use super::{KeyFileError, MOST_CERTIFICATES, broken, pbe};
use crate::x509::tlv::{OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Tlv};
use crate::x509::{certificate, to_der};
use strongroom_domain::key::CertificateDer;

pub(super) const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
pub(super) const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
pub(super) const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const SAFE_CONTENTS_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.6");
pub(super) const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
pub(super) const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
const FRIENDLY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.20");

const BMP_STRING: u8 = 0x1e;

/// More bags than any key file has, those inside of others included.
const MOST_BAGS: usize = 256;

/// Deeper than anybody puts bags into bags.
const DEEPEST: usize = 8;

#[derive(Sequence)]
pub(super) struct SafeBag<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) value: AnyRef<'a>,
    #[asn1(optional = "true")]
    pub(super) attributes: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
pub(super) struct CertBag<'a> {
    pub(super) id: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) value: &'a OctetStringRef,
}

/// RFC 5958 section 3.
#[derive(Sequence)]
pub(super) struct EncryptedKey<'a> {
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) ciphertext: &'a OctetStringRef,
}

impl EncryptedKey<'_> {
    /// The key as PKCS#8 in clear. Nothing but its form tells it from what a wrong password
    /// makes of it.
    pub(super) fn decrypt(
        &self,
        password: Password<'_>,
        work: &mut KdfBudget,
    ) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let clear = pbe::decrypt(&self.algorithm, self.ciphertext.as_bytes(), password, work)?;
        if matches!(KeyFileShape::detect(&clear), Some(KeyFileShape::Pkcs8)) {
            Ok(clear)
        } else {
            Err(KeyFileError::WrongPassword)
        }
    }
}

/// What was in a file.
#[derive(Default)]
pub(super) struct Pkcs12Contents {
    pub(super) keys: Vec<FoundKey>,
    pub(super) certificates: Vec<FoundCertificate>,
    bags: usize,
}

/// A private key as it stood in a file.
pub(super) struct FoundKey {
    /// PKCS#8 in clear, or another form of a bare key.
    pub(super) der: Zeroizing<Vec<u8>>,
    pub(super) attributes: BagAttributes,
}

/// A certificate as it stood in a file.
pub(super) struct FoundCertificate {
    pub(super) certificate: CertificateDer,
    pub(super) attributes: BagAttributes,
}

/// Attributes by which bags are told to belong together (RFC 2985 section 5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BagAttributes {
    pub(super) local_key_id: Option<Vec<u8>>,
    pub(super) friendly_name: Option<String>,
}

impl Pkcs12Contents {
    /// Takes the keys and certificates of `SafeContents`; bags of other kinds are passed over.
    pub(super) fn collect(
        &mut self,
        bags: &[u8],
        password: Password<'_>,
        work: &mut KdfBudget,
    ) -> Result<(), KeyFileError> {
        let in_der = to_der(bags);
        self.collect_within(in_der.as_deref().map_or(bags, Vec::as_slice), password, work, 0)
    }

    fn collect_within(
        &mut self,
        bags: &[u8],
        password: Password<'_>,
        work: &mut KdfBudget,
        depth: usize,
    ) -> Result<(), KeyFileError> {
        let unreadable = |_| broken("PKCS#12 file");
        if depth > DEEPEST {
            return Err(KeyFileError::Excessive(format!("bags nested more than {DEEPEST} deep")));
        }
        let bags = Vec::<SafeBag<'_>>::from_der(bags).map_err(unreadable)?;
        self.bags += bags.len();
        if self.bags > MOST_BAGS {
            return Err(KeyFileError::Excessive(format!("{} bags, at most {MOST_BAGS} are accepted", self.bags)));
        }
        for bag in bags {
            let attributes = BagAttributes::of(bag.attributes);
            match bag.id {
                KEY_BAG => {
                    let der = Zeroizing::new(bag.value.to_der().map_err(unreadable)?);
                    self.keys.push(FoundKey { der, attributes });
                }
                SHROUDED_KEY_BAG => {
                    let key: EncryptedKey<'_> = bag.value.decode_as().map_err(unreadable)?;
                    self.keys.push(FoundKey { der: key.decrypt(password, work)?, attributes });
                }
                CERT_BAG => self.certificates.push(FoundCertificate { certificate: certificate_in(&bag)?, attributes }),
                SAFE_CONTENTS_BAG => {
                    self.collect_within(&bag.value.to_der().map_err(unreadable)?, password, work, depth + 1)?;
                }
                _ => {}
            }
            if self.certificates.len() > MOST_CERTIFICATES {
                return Err(super::too_many_certificates());
            }
        }
        Ok(())
    }

    /// Adds certificates that have no attributes.
    pub(super) fn add_certificates(&mut self, certificates: Vec<CertificateDer>) {
        let plain = |certificate| FoundCertificate { certificate, attributes: BagAttributes::default() };
        self.certificates.extend(certificates.into_iter().map(plain));
    }

    /// Adds a key that has no attributes.
    pub(super) fn add_key(&mut self, der: Zeroizing<Vec<u8>>) {
        self.keys.push(FoundKey { der, attributes: BagAttributes::default() });
    }
}

fn certificate_in(bag: &SafeBag<'_>) -> Result<CertificateDer, KeyFileError> {
    let in_bag: CertBag<'_> = bag.value.decode_as().map_err(|_| broken("PKCS#12 file"))?;
    if in_bag.id != X509_CERTIFICATE {
        return Err(KeyFileError::Malformed(format!(
            "a certificate of the type {}, where X.509 is accepted",
            in_bag.id
        )));
    }
    let found = certificate(in_bag.value.as_bytes()).map_err(|why| KeyFileError::Excessive(why.to_string()))?;
    found.ok_or_else(|| broken("certificate"))
}

impl BagAttributes {
    /// Those that are known; what cannot be read is not there.
    fn of(attributes: Option<AnyRef<'_>>) -> Self {
        let mut known = Self::default();
        let Some(der) = attributes.and_then(|attributes| attributes.to_der().ok()) else { return known };
        for attribute in Tlv::only(&der).and_then(|set| set.elements(SET)).unwrap_or_default() {
            let Some((id, value)) = id_and_value(attribute) else { continue };
            if id == LOCAL_KEY_ID.as_bytes() {
                known.local_key_id = value.contents_of(OCTET_STRING).map(<[u8]>::to_vec);
            } else if id == FRIENDLY_NAME.as_bytes() {
                known.friendly_name = value.contents_of(BMP_STRING).and_then(utf_16);
            }
        }
        known
    }
}

/// An attribute and the first of its values.
fn id_and_value(attribute: Tlv<'_>) -> Option<(&[u8], Tlv<'_>)> {
    let fields = attribute.elements(SEQUENCE)?;
    let [id, values] = fields.as_slice() else { return None };
    Some((id.contents_of(OBJECT_IDENTIFIER)?, *values.elements(SET)?.first()?))
}

fn utf_16(text: &[u8]) -> Option<String> {
    let (units, _) = text.as_chunks();
    char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect::<Result<_, _>>().ok()
}

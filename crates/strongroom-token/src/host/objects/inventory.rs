//! What the token holds, and removing from it.

use std::collections::BTreeMap;
use std::time::Duration;

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::protocol::{CallFailure, FailureClass, InventoryObject};

/// How long a half-made object must stay as it is before it is taken for abandoned: many
/// times what a token takes between an object's creation and its last attribute.
const SETTLING: Duration = Duration::from_secs(2);

/// The classes of keys, the private one first: without it the rest is harmless.
///
/// Searches name nothing else: a private key that SoftHSM was killed over may not have its
/// `CKA_TOKEN` yet (2.6.1, 2026-11-20).
const HALVES: [ObjectClass; 2] = [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY];

/// Every pair whose label begins with `sr:`, and half-made objects.
///
/// # Errors
/// What the token answered.
pub(in crate::host) fn inventory(session: &Session) -> Result<Vec<InventoryObject>, CallFailure> {
    let mut whole: BTreeMap<(Vec<u8>, String), InventoryObject> = BTreeMap::new();
    let mut broken = Vec::new();
    for class in HALVES {
        for handle in session.find_objects(&[Attribute::Class(class)])? {
            let Some(seen) = look(session, handle)? else { continue };
            let private = class == ObjectClass::PRIVATE_KEY;
            if seen.is_half_made(private) {
                broken.push(seen.held(private));
            } else if seen.label.starts_with("sr:") {
                let held = whole.entry((seen.id.clone(), seen.label.clone())).or_insert_with(|| seen.held(private));
                held.has_private |= private;
                held.has_public |= !private;
            }
        }
    }
    Ok(whole.into_values().chain(broken).collect())
}

/// Destroys every object with this `CKA_ID` and this label, or with this `CKA_ID` and no
/// label yet; how many there were.
///
/// # Errors
/// What the token answered, or `Unavailable` when objects remain.
pub(in crate::host) fn destroy(session: &Session, id: &[u8], label: &str) -> Result<u32, CallFailure> {
    let find = || {
        let mut found = Vec::new();
        for class in HALVES {
            for handle in session.find_objects(&[Attribute::Class(class), Attribute::Id(id.to_vec())])? {
                if look(session, handle)?.is_some_and(|seen| seen.label == label || seen.label.is_empty()) {
                    found.push(handle);
                }
            }
        }
        Ok::<_, CallFailure>(found)
    };
    let found = find()?;
    let removed = remove(session, &found)?;
    if find()?.is_empty() {
        Ok(removed)
    } else {
        Err(CallFailure::new(FailureClass::Unavailable, "objects remain after their destruction"))
    }
}

/// Destroys key objects that have neither `CKA_ID` nor public components, and still have
/// neither after a while; how many there were.
///
/// # Errors
/// What the token answered.
pub(in crate::host) fn remove_broken(session: &Session) -> Result<u32, CallFailure> {
    let first = abandoned(session)?;
    if first.is_empty() {
        return Ok(0);
    }
    std::thread::sleep(SETTLING);
    let still: Vec<ObjectHandle> = abandoned(session)?.into_iter().filter(|handle| first.contains(handle)).collect();
    remove(session, &still)
}

/// Half-made objects that nothing can be found by any more.
fn abandoned(session: &Session) -> Result<Vec<ObjectHandle>, CallFailure> {
    let mut found = Vec::new();
    for class in HALVES {
        for handle in session.find_objects(&[Attribute::Class(class)])? {
            if look(session, handle)?.is_some_and(|seen| seen.is_nobodys()) {
                found.push(handle);
            }
        }
    }
    Ok(found)
}

fn remove(session: &Session, handles: &[ObjectHandle]) -> Result<u32, CallFailure> {
    let mut removed = 0;
    for handle in handles {
        match session.destroy_object(*handle) {
            Ok(()) => removed += 1,
            Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(removed)
}

/// What is read of one key object.
struct Seen {
    id: Vec<u8>,
    label: String,
    has_components: bool,
}

impl Seen {
    /// Whether the object is ours or nobody's, and not all there. A foreign key without a
    /// `CKA_ID` is its owner's business; so is a public key that only lacks its `CKA_ID`.
    fn is_half_made(&self, private: bool) -> bool {
        let ours = self.label.is_empty() || self.label.starts_with("sr:");
        self.is_nobodys() || private && ours && (self.id.is_empty() || !self.has_components)
    }

    /// Whether nothing can be found or used by this object.
    fn is_nobodys(&self) -> bool {
        let ours = self.label.is_empty() || self.label.starts_with("sr:");
        ours && self.id.is_empty() && !self.has_components
    }

    fn held(&self, private: bool) -> InventoryObject {
        InventoryObject {
            id: self.id.clone(),
            label: self.label.clone(),
            has_private: private,
            has_public: !private,
            incomplete: self.is_half_made(private),
        }
    }
}

/// Reads one object; `None` when it has gone since it was found.
fn look(session: &Session, handle: ObjectHandle) -> Result<Option<Seen>, CallFailure> {
    let read = match session.get_attributes(handle, &[AttributeType::Id, AttributeType::Label, AttributeType::KeyType])
    {
        Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => return Ok(None),
        other => other?,
    };
    let mut seen = Seen { id: Vec::new(), label: String::new(), has_components: true };
    for attribute in read {
        match attribute {
            Attribute::Id(id) => seen.id = id,
            Attribute::Label(label) => seen.label = String::from_utf8_lossy(&label).into_owned(),
            Attribute::KeyType(kind) => seen.has_components = has_components(session, handle, kind)?,
            _ => {}
        }
    }
    Ok(Some(seen))
}

fn has_components(session: &Session, handle: ObjectHandle, kind: KeyType) -> Result<bool, CallFailure> {
    let wanted = match kind {
        KeyType::RSA => AttributeType::Modulus,
        KeyType::EC | KeyType::EC_EDWARDS => AttributeType::EcParams,
        _ => return Ok(true),
    };
    let read = match session.get_attributes(handle, &[wanted]) {
        Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => return Ok(true),
        other => other?,
    };
    Ok(read.iter().any(|attribute| match attribute {
        Attribute::Modulus(bytes) | Attribute::EcParams(bytes) => !bytes.is_empty(),
        _ => false,
    }))
}

//! Signing policy: the rules that need no provider.

use super::sign::MESSAGE_LIMIT;
use super::{SignInput, SigningKey};
use strongroom_domain::error::{Error, ErrorKind, FieldViolation, OperationFault, OperationField};
use strongroom_domain::key::{KeyState, KeyUse, RingKind, SignatureAlgorithm};
use strongroom_formats::jose;

/// Mode of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SigningMode {
    /// Any bytes; a caller with this mode can forge tokens.
    Raw,
    /// A JWS that the daemon builds.
    Jws,
}

impl SigningKey {
    /// Checks that the key may sign in this mode now.
    ///
    /// # Errors
    /// `Forbidden` when it never does, `Conflict` when its state is against it,
    /// `ProviderUnavailable` when its provider has lost it.
    pub(super) fn check_may_sign(&self, mode: SigningMode) -> Result<(), Error> {
        if self.key_use != KeyUse::Sign {
            return Err(Error::new(ErrorKind::Forbidden, "the key's use is decryption: it does not sign"));
        }
        self.check_ring_kind()?;
        if mode == SigningMode::Raw && !self.signs_raw {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "keys of this ring are published for tokens: they sign JWS only",
            ));
        }
        if self.state != KeyState::Active {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("the key is {}: only an Active key signs", self.state),
            ));
        }
        self.check_present()
    }

    /// Checks that keys of this kind of ring are usable by callers.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn check_ring_kind(&self) -> Result<(), Error> {
        match self.ring.kind() {
            RingKind::SslServer | RingKind::SslClient => {
                Err(Error::new(ErrorKind::Forbidden, "keys of this ring serve TLS and nothing else"))
            }
            RingKind::Signing | RingKind::Connection | RingKind::WebKeys => Ok(()),
        }
    }

    /// Checks that the provider still holds the key.
    ///
    /// # Errors
    /// `ProviderUnavailable`.
    pub(super) fn check_present(&self) -> Result<(), Error> {
        if self.missing {
            return Err(Error::new(ErrorKind::ProviderUnavailable, "the key is missing from its crypto provider"));
        }
        Ok(())
    }

    /// Checks that signatures of the key may be verified.
    ///
    /// # Errors
    /// `Forbidden` when it never signs, `Conflict` when its state is against it.
    pub(super) fn check_may_verify(&self) -> Result<(), Error> {
        if self.key_use != KeyUse::Sign {
            return Err(Error::new(ErrorKind::Forbidden, "the key's use is decryption: it has no signatures"));
        }
        match self.state {
            KeyState::Active | KeyState::Deactivated => Ok(()),
            KeyState::Suspended if !self.unpublished => Ok(()),
            KeyState::Suspended => Err(Error::new(
                ErrorKind::Conflict,
                "the key is Suspended and in no key set: nothing is verified by it",
            )),
            KeyState::Compromised => {
                Err(Error::new(ErrorKind::Conflict, "the key is Compromised: its signatures prove nothing"))
            }
            state => Err(Error::new(ErrorKind::Conflict, format!("the key is {state}: it has no signatures"))),
        }
    }

    /// The permitted algorithm of a JOSE or JCA name.
    ///
    /// # Errors
    /// `Invalid` at the algorithm.
    pub(super) fn permitted_algorithm(&self, name: &str) -> Result<SignatureAlgorithm, Error> {
        let meant = SignatureAlgorithm::from_jca_name(name).or_else(|| jose::algorithm_of(self.algorithm(), name));
        meant.filter(|algorithm| self.permitted.contains(algorithm)).ok_or_else(|| {
            let names = self.permitted.iter().flat_map(|algorithm| self.names(*algorithm)).collect();
            FieldViolation::of_operation(OperationField::Algorithm, OperationFault::NotPermitted(names)).into()
        })
    }

    fn names(&self, algorithm: SignatureAlgorithm) -> impl Iterator<Item = &'static str> {
        jose::algorithm_name(self.algorithm(), algorithm).into_iter().chain([algorithm.jca_name()])
    }
}

/// Checks an input against an algorithm.
///
/// # Errors
/// `Invalid` at the message or the digest.
pub(super) fn check_input(algorithm: SignatureAlgorithm, input: &SignInput) -> Result<(), Error> {
    let (field, fault) = match (input, algorithm.hash()) {
        (SignInput::Message(message), _) if message.len() > MESSAGE_LIMIT => {
            (OperationField::Message, OperationFault::MessageTooLong(MESSAGE_LIMIT))
        }
        (SignInput::Digest(_), None) => (OperationField::Digest, OperationFault::NoDigest(algorithm)),
        (SignInput::Digest(digest), Some(hash)) if digest.len() != hash.output_len() => {
            (OperationField::Digest, OperationFault::DigestLength(algorithm, hash.output_len()))
        }
        _ => return Ok(()),
    };
    Err(FieldViolation::of_operation(field, fault).into())
}

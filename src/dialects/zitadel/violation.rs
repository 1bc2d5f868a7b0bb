//! Refused inputs in the words of this dialect.

use strongroom_domain::error::{Field, FieldViolation, Reason, Violation};

/// A refusal of the domain in this dialect's words; a message has no place for a path.
pub(super) fn violation(FieldViolation { field, reason }: &FieldViolation) -> Violation {
    let name = match field {
        Field::RingId | Field::TrustedCaId => "id",
        Field::KeyFile => "key file",
        Field::KeyFilePassword => "password",
        Field::PrivateKey => "private key",
        Field::LinkedCertificates | Field::IssuedCertificates | Field::TrustedCertificate => "certificate",
        Field::RawSigning => "raw signing",
        Field::IdempotencyKey => "Idempotency-Key",
        Field::Operation(_) | Field::Tls(..) | Field::Oidc(_) => "value",
    };
    let message = match reason {
        Reason::IdInUse(id) => format!("The ID '{id}' is already in use."),
        Reason::KeyInUse => format!("The {name} is already in use."),
        Reason::KeyNotAccepted | Reason::KeyNotSupported(_) => {
            format!("The crypto provider does not accept the {name}.")
        }
        Reason::KeyNotUsable(why)
        | Reason::FileUnreadable(why)
        | Reason::FileExcessive(why)
        | Reason::CertificateUnusable(why) => format!("The {name} cannot be used: {why}."),
        Reason::WrongPassword => format!("The {name} does not open the key file."),
        Reason::CertificateMismatch => format!("The {name} must be one for the private key."),
        Reason::TlsOnly => format!("The {name} must be off: keys of this ring serve TLS and nothing else."),
        Reason::OtherRequest => "this Idempotency-Key came before with another body".to_owned(),
        // No route of this dialect signs, decrypts or takes such settings.
        Reason::Operation(_) | Reason::Setting(_) => format!("The {name} is not accepted."),
    };
    Violation { path: None, rule: reason.rule(), message }
}

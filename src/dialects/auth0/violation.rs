//! Refused inputs in the words of this dialect.

use strongroom_domain::error::{Field, FieldViolation, Reason, Violation};

/// A refusal of the domain at this dialect's path, in its words.
pub(super) fn violation(FieldViolation { field, reason }: &FieldViolation) -> Violation {
    let path = match field {
        Field::RingId | Field::TrustedCaId => Some("id"),
        Field::KeyFile | Field::IssuedCertificates | Field::TrustedCertificate => Some("file"),
        Field::KeyFilePassword => Some("password"),
        Field::PrivateKey => Some("privateKey"),
        Field::LinkedCertificates => Some("certificates"),
        Field::RawSigning => Some("rawSign"),
        Field::IdempotencyKey | Field::Operation(_) | Field::Tls(..) | Field::Oidc(_) => None,
    };
    let name = path.unwrap_or("value");
    let message = match reason {
        Reason::IdInUse(id) => format!("The ID '{id}' is already in use."),
        Reason::KeyInUse => "The private key is already in use.".to_owned(),
        Reason::KeyNotAccepted => "The crypto provider does not accept this private key; \
                                   an RSA key in an HSM must have the public exponent 65537."
            .to_owned(),
        Reason::KeyNotUsable(why) => format!("{name} must name one private key that can sign here: {why}."),
        Reason::FileUnreadable(why) | Reason::FileExcessive(why) | Reason::CertificateUnusable(why) => {
            format!("{name} cannot be used: {why}.")
        }
        Reason::KeyNotSupported(_) => "The crypto provider does not sign with such a key.".to_owned(),
        Reason::WrongPassword => format!("{name} must be the one that opens the file."),
        Reason::CertificateMismatch => "The certificate must be one for the private key.".to_owned(),
        Reason::TlsOnly => format!("{name} must be false: keys of this ring serve TLS and nothing else."),
        Reason::OtherRequest => "this Idempotency-Key came before with another body".to_owned(),
        // No route of this dialect signs, decrypts or takes such settings.
        Reason::Operation(_) | Reason::Setting(_) => format!("The {name} is not accepted."),
    };
    Violation { path: path.map(str::to_owned), rule: reason.rule(), message }
}

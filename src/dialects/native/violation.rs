//! Refused inputs in the words of this dialect.

use strongroom_domain::error::{Field, FieldViolation, OperationFault, OperationField, Reason, Violation};

/// A refusal of the domain at this dialect's path, in its words.
pub(super) fn violation(FieldViolation { field, reason }: &FieldViolation) -> Violation {
    let path = path(field);
    let name = path.as_deref().unwrap_or_default();
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
        Reason::Operation(fault) => operation(field, fault),
        // No route of this dialect takes such settings.
        Reason::Setting(_) => "The value is not accepted.".to_owned(),
    };
    Violation { path, rule: reason.rule(), message }
}

/// The path of an input; none of inputs that are in no body of this dialect.
fn path(field: &Field) -> Option<String> {
    let path = match field {
        Field::RingId | Field::TrustedCaId => "id",
        Field::KeyFile | Field::IssuedCertificates | Field::TrustedCertificate => "file",
        Field::KeyFilePassword => "password",
        Field::PrivateKey => "privateKey",
        Field::LinkedCertificates => "certificates",
        Field::RawSigning => "rawSign",
        Field::Operation(field) => match field {
            OperationField::Algorithm => "algorithm",
            OperationField::Message => "message",
            OperationField::Digest => "digest",
            OperationField::Ciphertext => "ciphertext",
            OperationField::Headers => "headers",
            OperationField::Header(name) => return Some(format!("headers.{name}")),
            OperationField::Payload => "payload",
            OperationField::PayloadBytes => "payloadBytes",
            OperationField::Claim(name) => return Some(format!("payload.{name}")),
        },
        Field::IdempotencyKey | Field::Tls(..) | Field::Oidc(_) => return None,
    };
    Some(path.to_owned())
}

fn operation(field: &Field, fault: &OperationFault) -> String {
    let name = match field {
        Field::Operation(OperationField::Header(name)) => name,
        Field::Operation(OperationField::Claim(name)) => *name,
        _ => "it",
    };
    match fault {
        OperationFault::NotPermitted(names) => format!("this key signs with one of {}.", names.join(", ")),
        OperationFault::NotADecryption(names) => format!("this key decrypts with one of {}.", names.join(", ")),
        OperationFault::NoJoseName(signature, key) => format!("JOSE has no name for {signature} with a key {key}."),
        OperationFault::MessageTooLong(limit) => format!("a message is at most {limit} bytes; send its digest."),
        OperationFault::PayloadTooLong(limit) => format!("a payload is at most {limit} bytes."),
        OperationFault::NoDigest(signature) => format!("{signature} signs messages, not digests."),
        OperationFault::DigestLength(signature, length) => format!("a digest for {signature} has {length} bytes."),
        OperationFault::HeadersNotAnObject => "must be an object.".to_owned(),
        OperationFault::HeaderReserved => format!("{name} is not for callers; typ, cty and private names are."),
        OperationFault::HeaderNotText => format!("{name} must be text."),
        OperationFault::ClaimPresent => {
            format!("the payload has {name} already; it is filled in only where it is absent.")
        }
        OperationFault::NoClaims => "claims are filled into a payload that is a JSON object.".to_owned(),
        OperationFault::NotDecrypted => "does not decrypt with this key and algorithm.".to_owned(),
    }
}

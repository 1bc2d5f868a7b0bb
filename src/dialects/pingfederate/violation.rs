//! Refused inputs in the words of this dialect.

use super::members::{one_of, sentence};
use super::oidc_names;
use strongroom_domain::error::{Field, FieldViolation, Reason, SettingFault, TlsField, TlsServer, Violation};
use strongroom_domain::key::{KeyAlgorithm, KeyUse, RingKind};
use strongroom_domain::oidc::OidcKeyType;

/// A refusal of the domain at this dialect's path, in its words.
pub(super) fn violation(FieldViolation { field, reason }: &FieldViolation) -> Violation {
    let path = path(field);
    let name = path.as_deref().unwrap_or("value");
    let message = match reason {
        Reason::IdInUse(id) => format!("The ID '{id}' is already in use."),
        Reason::KeyInUse => "The private key is already in use.".to_owned(),
        Reason::KeyNotAccepted => "The crypto provider does not accept this private key; \
                                   an RSA key in an HSM must have the public exponent 65537."
            .to_owned(),
        Reason::KeyNotSupported(able) => sentence(name, &offer(able)),
        Reason::KeyNotUsable(why) => format!("{name} must name one private key that can sign here: {why}."),
        Reason::FileUnreadable(why) | Reason::FileExcessive(why) | Reason::CertificateUnusable(why) => {
            sentence(name, why)
        }
        Reason::WrongPassword => format!("{name} must be the one that opens the file."),
        Reason::CertificateMismatch => "The certificate must be one for the private key.".to_owned(),
        Reason::TlsOnly => format!("{name} must be false: keys of this ring serve TLS and nothing else."),
        Reason::OtherRequest => "this Idempotency-Key came before with another body".to_owned(),
        Reason::Setting(fault) => setting(fault),
        // No route of this dialect signs or decrypts what a client sends.
        Reason::Operation(_) => format!("The {name} is not accepted."),
    };
    Violation { path, rule: reason.rule(), message }
}

/// The path of an input; none of inputs that are in no body of this dialect.
fn path(field: &Field) -> Option<String> {
    let path = match field {
        Field::RingId | Field::TrustedCaId => "id",
        Field::KeyFile | Field::IssuedCertificates | Field::TrustedCertificate => "fileData",
        Field::KeyFilePassword => "password",
        Field::PrivateKey => "privateKeyId",
        Field::LinkedCertificates => "certificateData",
        Field::RawSigning => "rawSign",
        Field::Tls(server, TlsField::Default) => match server {
            TlsServer::Runtime => "runtimeServerCertRef.id",
            TlsServer::AdminConsole => "adminConsoleCertRef.id",
        },
        Field::Tls(server, TlsField::Active(n)) => {
            return Some(match server {
                TlsServer::Runtime => format!("activeRuntimeServerCerts[{n}].id"),
                TlsServer::AdminConsole => format!("activeAdminConsoleCerts[{n}].id"),
            });
        }
        Field::Oidc(field) => return Some(oidc_names::path(*field)),
        Field::IdempotencyKey | Field::Operation(_) => return None,
    };
    Some(path.to_owned())
}

fn setting(fault: &SettingFault) -> String {
    match fault {
        SettingFault::NoSuchRing(kind, id) => format!("The ID '{id}' names no {} key pair.", family(*kind)),
        SettingFault::WrongUse(id, KeyUse::Sign) => format!("The ID '{id}' must name a key pair that signs."),
        SettingFault::WrongUse(id, KeyUse::Decrypt) => format!("The ID '{id}' must name a key pair that decrypts."),
        SettingFault::WrongType(id, wanted) => format!("The ID '{id}' must name {} key pair.", title(*wanted)),
        SettingFault::PreviousIsActive => "The previous key pair must be another than the active one.".to_owned(),
        SettingFault::DefaultNotActive(id) => format!("The ID '{id}' must be among the active ones."),
        SettingFault::NotPermitted(id, algorithm) => {
            format!("The key pair with ID '{id}' does not sign with {algorithm}.")
        }
        SettingFault::AlgorithmTwice(name) => format!("{name} is named twice."),
        SettingFault::KidTwice(kid) => format!("The key ID '{kid}' is given twice."),
        SettingFault::IssuerTwice(issuer) => format!("The issuer '{issuer}' is named twice."),
        SettingFault::IssuerTaken { issuer, key_set } => {
            format!("The issuer '{issuer}' is in the additional key set '{key_set}' already.")
        }
    }
}

const fn family(kind: RingKind) -> &'static str {
    match kind {
        RingKind::Signing => "signing",
        RingKind::SslServer => "SSL server",
        RingKind::SslClient => "SSL client",
        RingKind::Connection => "connection",
        RingKind::WebKeys => "web",
    }
}

const fn title(key_type: OidcKeyType) -> &'static str {
    match key_type {
        OidcKeyType::P256 => "an EC 256",
        OidcKeyType::P384 => "an EC 384",
        OidcKeyType::P521 => "an EC 521",
        OidcKeyType::Rsa => "an RSA",
    }
}

/// The keys that the provider takes instead.
fn offer(able: &[KeyAlgorithm]) -> String {
    let name = |algorithm: &KeyAlgorithm| format!("{} {}", algorithm.jca_name(), algorithm.bits());
    format!("the crypto provider can sign with one of {}", one_of(able.iter().map(name)))
}

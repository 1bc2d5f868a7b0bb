//! Inputs of the domain, apart from their names in any API.

use crate::oidc::OidcKeyPlace;

/// An input of the domain; each dialect has its own path for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Id of a key ring to be made.
    RingId,
    /// File with a private key and its certificates.
    KeyFile,
    /// Password of a key file.
    KeyFilePassword,
    /// Selector of a private key in a token.
    PrivateKey,
    /// Certificates of a key in a token.
    LinkedCertificates,
    /// Certificates that a CA issued for a key here.
    IssuedCertificates,
    /// Id of a trusted CA to be added.
    TrustedCaId,
    /// Certificate of a trusted CA.
    TrustedCertificate,
    /// Permission of a ring to sign anything that a client sends.
    RawSigning,
    /// Name that a client gives to a request.
    IdempotencyKey,
    /// Input of a signature or a decryption.
    Operation(OperationField),
    /// Key ring for TLS.
    Tls(TlsServer, TlsField),
    /// Keys for the tokens of OAuth and `OpenID` Connect.
    Oidc(OidcField),
}

/// An input of a signature or a decryption.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OperationField {
    /// Signature or decryption algorithm.
    Algorithm,
    /// Message to be signed.
    Message,
    /// Digest to be signed.
    Digest,
    /// Ciphertext to be decrypted.
    Ciphertext,
    /// Protected headers of a JWS.
    Headers,
    /// One protected header of a JWS.
    Header(String),
    /// Payload of a JWS.
    Payload,
    /// Payload of a JWS as bytes that need not be JSON.
    PayloadBytes,
    /// Claim in the payload of a JWS.
    Claim(&'static str),
}

/// A server with TLS keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsServer {
    Runtime,
    AdminConsole,
}

/// Position of a key ring among those of a [`TlsServer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsField {
    /// The ring that is presented unless a client asks for another.
    Default,
    /// The n-th of the active rings.
    Active(usize),
}

/// An input of the settings of OAuth and `OpenID` Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OidcField {
    /// Id of an additional key set.
    KeySetId,
    /// The n-th issuer of an additional key set.
    Issuer(usize),
    /// Ring of a key.
    Key(OidcKeyPlace),
    /// Key id of a key.
    Kid(OidcKeyPlace),
    /// Signature algorithm that the n-th further key id of a key is for.
    Algorithm(OidcKeyPlace, usize),
    /// The n-th further key id of a key.
    AlgorithmKid(OidcKeyPlace, usize),
}

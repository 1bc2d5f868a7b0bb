//! Which extensions a certificate carries.

/// What a leaf certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Signs documents and tokens: digitalSignature.
    Signing,
    /// Serves TLS: serverAuth, and keyEncipherment with RSA.
    TlsServer,
    /// Asks over TLS: clientAuth.
    TlsClient,
}

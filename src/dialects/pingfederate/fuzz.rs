//! Body of the fuzz target for this dialect's requests: `fuzz/` gives it bytes, and a test replays its seeds.

use super::additional_key_sets::AdditionalKeySet;
use super::csr::CsrResponse;
use super::export::KeyPairExportSettings;
use super::generate::NewKeyPairSettings;
use super::import::KeyPairFile;
use super::link::KeyPairLink;
use super::oidc_wire::OAuthOidcKeysSettings;
use super::rotation::KeyPairRotationSettings;
use super::ssl_settings::SslServerSettings;
use super::trusted_cas::X509File;
use crate::http::fuzz::read;

/// Reads the bytes as every body that the dialect knows.
pub fn bodies(data: &[u8]) {
    read::<NewKeyPairSettings>(data);
    read::<KeyPairFile>(data);
    read::<KeyPairLink>(data);
    read::<CsrResponse>(data);
    read::<KeyPairExportSettings>(data);
    read::<KeyPairRotationSettings>(data);
    read::<SslServerSettings>(data);
    read::<X509File>(data);
    read::<OAuthOidcKeysSettings>(data);
    read::<AdditionalKeySet>(data);
}

#[test]
fn seeds_of_bodies_hold() {
    crate::http::fuzz::replay("pingfederate_bodies", bodies);
}

//! The key set of OAuth and `OpenID` Connect tokens.

use super::key_set_builder::{CertificateDisplay, KeySetBuilder};
use super::service::Publication;
use crate::auth::{Caller, Task};
use crate::services::settings::{OidcGroup, OidcKey};
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyPair, KeyState};
use strongroom_formats::jose;

/// Which key pairs of a reference are published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Those that sign, will, or did lately.
    Ring,
    /// Only the one that is Active: nobody shall encrypt to another.
    Active,
}

impl Publication {
    /// Adds every key pair that the settings and the additional key sets name.
    pub(super) async fn add_oidc(&self, builder: &mut KeySetBuilder) -> Result<(), Error> {
        let us = Caller::daemon(Task::Publication);
        let settings = self.catalog().oidc_settings(&us).await?;
        self.add_signing(&settings.signing, builder).await?;
        for keys in settings.decryption.values() {
            self.add_key(&keys.active, Extent::Active, keys.publish_x5c, builder).await?;
        }
        for set in self.catalog().additional_key_sets(&us).await? {
            self.add_signing(&set.signing, builder).await?;
        }
        Ok(())
    }

    async fn add_signing(&self, group: &OidcGroup, builder: &mut KeySetBuilder) -> Result<(), Error> {
        for keys in group.values() {
            for key in keys.keys() {
                self.add_key(key, Extent::Ring, keys.publish_x5c, builder).await?;
            }
        }
        Ok(())
    }

    async fn add_key(
        &self,
        key: &OidcKey,
        extent: Extent,
        x5c: bool,
        builder: &mut KeySetBuilder,
    ) -> Result<(), Error> {
        let Some(ring) = key.ring() else { return Ok(()) };
        let certificates = if x5c { CertificateDisplay::Shown } else { CertificateDisplay::Hidden };
        for pair in self.read_ring(&ring, builder).await? {
            let is_active = pair.state == KeyState::Active;
            if is_active || extent == Extent::Ring {
                builder.add(&pair, certificates)?;
            }
            // A name of the settings is that of the key pair that signs: two keys of one name would be none.
            if is_active || (pair.is_current() && extent == Extent::Ring) {
                add_names(key, &pair, certificates, builder)?;
            }
        }
        Ok(())
    }
}

/// Adds a key under the names that the settings have for it.
fn add_names(
    key: &OidcKey,
    pair: &KeyPair,
    certificates: CertificateDisplay,
    builder: &mut KeySetBuilder,
) -> Result<(), Error> {
    if let Some(kid) = &key.kid {
        builder.add_named(pair, kid, certificates)?;
    }
    for (name, kid) in &key.algorithm_kids {
        // A successor need not sign in every way in which its predecessor did.
        let algorithm = jose::algorithm_of(pair.algorithm, name);
        if algorithm.is_some_and(|algorithm| pair.permitted.contains(&algorithm)) {
            builder.add_as(pair, kid, Some(name), certificates)?;
        }
    }
    Ok(())
}

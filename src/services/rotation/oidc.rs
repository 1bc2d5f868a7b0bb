//! The key set of OAuth and `OpenID` Connect tokens.

use super::Rotation;
use super::members::{Certificates, Draft};
use crate::auth::Principal;
use crate::services::settings::{OidcGroup, OidcKey};
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyPair, State};
use strongroom_formats::jose;

/// Which key pairs of a reference are published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Those that sign, will, or did lately.
    Ring,
    /// Only the one that is Active: nobody shall encrypt to another.
    Active,
}

impl Rotation {
    /// Adds every key pair that the settings and the additional key sets name.
    pub(super) async fn add_oidc(&self, draft: &mut Draft) -> Result<(), Error> {
        let us = Principal::strongroom();
        let settings = self.catalog.oidc_settings(&us).await?;
        self.add_signing(&settings.signing, draft).await?;
        for keys in settings.decryption.values() {
            self.add_key(&keys.active, Extent::Active, keys.publish_x5c, draft).await?;
        }
        for set in self.catalog.additional_key_sets(&us).await? {
            self.add_signing(&set.signing, draft).await?;
        }
        Ok(())
    }

    async fn add_signing(&self, group: &OidcGroup, draft: &mut Draft) -> Result<(), Error> {
        for keys in group.values() {
            for key in keys.each() {
                self.add_key(key, Extent::Ring, keys.publish_x5c, draft).await?;
            }
        }
        Ok(())
    }

    async fn add_key(&self, key: &OidcKey, extent: Extent, x5c: bool, draft: &mut Draft) -> Result<(), Error> {
        let Some(ring) = key.ring() else { return Ok(()) };
        let certificates = if x5c { Certificates::Shown } else { Certificates::Hidden };
        for pair in self.read_ring(&ring, draft).await? {
            let is_active = pair.state == State::Active;
            if is_active || extent == Extent::Ring {
                draft.add(&pair, certificates)?;
            }
            // A name of the settings is that of the key pair that signs: two keys of one name would be none.
            if is_active {
                add_names(key, &pair, certificates, draft)?;
            }
        }
        Ok(())
    }
}

/// Adds a key under the names that the settings have for it.
fn add_names(key: &OidcKey, pair: &KeyPair, certificates: Certificates, draft: &mut Draft) -> Result<(), Error> {
    if let Some(kid) = &key.kid {
        draft.add_named(pair, kid, certificates)?;
    }
    for (name, kid) in &key.algorithm_kids {
        // A successor need not sign in every way in which its predecessor did.
        let algorithm = jose::algorithm_of(pair.algorithm, name);
        if algorithm.is_some_and(|algorithm| pair.permitted.contains(&algorithm)) {
            draft.add_as(pair, kid, Some(name), certificates)?;
        }
    }
    Ok(())
}

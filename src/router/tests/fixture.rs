//! The services over a store that fails, and the settings of every dialect.

use std::sync::Arc;
use std::time::Duration;

use super::{READER, SECRET};
use crate::admission::BlockingPool;
use crate::auth::{Authenticator, Credential, Scope, SecretHash};
use crate::http::Services;
use crate::provider::Providers;
use crate::router::{Settings, auth0, pingfederate, zitadel};
use crate::services::connections::Connections;
use crate::services::custody::Readiness;
use crate::services::lifecycle::Keyring;
use crate::services::publication::Publication;
use crate::services::rotation::{Policies, PolicyDefaults, Rotation};
use crate::services::settings::Catalog;
use crate::services::signing::Signing;
use crate::services::web_keys::WebKeys;
use crate::store::{LeaseOwner, Store};
use strongroom_domain::clock::{Clock, SystemClock};
use strongroom_domain::key::{KeyAlgorithm, ProviderKind};
use strongroom_domain::secret::Secret;

fn credential(name: &str, secret: &str, scopes: &[Scope]) -> Credential {
    let hash = SecretHash::of(&Secret::new(secret.as_bytes().to_vec())).unwrap();
    Credential { name: name.to_owned(), hash, scopes: scopes.to_vec() }
}

/// A store that fails, for requests that are refused before it.
pub(super) async fn closed() -> Arc<Store> {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("store.db")).await.unwrap();
    store.close().await;
    store
}

pub(super) fn settings() -> Settings {
    Settings {
        pingfederate: pingfederate::Settings {
            hybrid: true,
            default_provider: ProviderKind::Hsm,
            san_format: pingfederate::SanFormat::Bare,
            require_trusted_issuer: false,
        },
        auth0: auth0::Settings {
            connections: auth0::Connections::Implicit,
            provider: ProviderKind::Hsm,
            rsa: KeyAlgorithm::RSA_2048,
            valid_days: 365,
            rate_limit: 100,
        },
        zitadel: zitadel::Settings {
            instance_id: "instance-1".to_owned(),
            provider: ProviderKind::Hsm,
            issuer: Some("https://keys.example.com".to_owned()),
        },
    }
}

pub(super) async fn services() -> Services {
    let store = closed().await;
    let owner = LeaseOwner { instance: "test".to_owned(), life: "1".to_owned() };
    let lease = Duration::from_secs(1);
    let signing = Signing::new(Arc::clone(&store), Providers::default(), Arc::new(SystemClock));
    let keyring = Keyring::new(Arc::clone(&store), Providers::default(), Arc::new(SystemClock), owner, lease);
    let (keyring, catalog) = (Arc::new(keyring), Arc::new(Catalog::new(Arc::clone(&store), Arc::new(SystemClock))));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let policies = Policies::new(Arc::clone(&catalog), PolicyDefaults::default());
    let readiness = Arc::new(Readiness::new(Arc::clone(&store), Providers::default()));
    let publication = Publication::new(
        Arc::clone(&store),
        Providers::default(),
        Arc::clone(&catalog),
        policies.clone(),
        Arc::clone(&clock),
    );
    let rotation = Arc::new(Rotation::new(Arc::clone(&store), Arc::clone(&keyring), policies, Arc::clone(&clock)));
    Services {
        connections: Arc::new(Connections::new(Arc::clone(&store), Arc::clone(&keyring), Arc::clone(&clock))),
        web_keys: Arc::new(WebKeys::new(store, Arc::clone(&keyring), Arc::clone(&rotation), clock)),
        signing: Arc::new(signing),
        publication: Arc::new(publication),
        readiness,
        rotation,
        keyring,
        catalog,
        authenticator: Arc::new(Authenticator::new(vec![
            credential("admin", SECRET, &Scope::ALL),
            credential("reader", READER, &[Scope::Read]),
        ])),
        clock: Arc::new(SystemClock),
        metrics: Box::new(|| "up 1\n".to_owned()),
        generate_deadline: Duration::from_secs(1),
        sign_deadline: Duration::from_secs(1),
        body_limit: 1024,
        key_files: BlockingPool::for_key_files(),
        documents: BlockingPool::for_documents(),
    }
}

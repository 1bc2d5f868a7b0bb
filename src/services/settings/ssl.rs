//! SSL settings: which key pairs serve TLS.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Catalog, DocumentChange, DocumentReferences, read};
use crate::auth::{Caller, policy};
use crate::store::{DocumentKind, ExpectedDocument, PutOutcome};
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};
use strongroom_domain::key::{KeyState, RingId, RingKind};

const KIND: DocumentKind = DocumentKind::SslSettings;
/// There is but one.
const ID: &str = "default";

/// Which `sslServer:` rings serve TLS; names without the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SslSettings {
    pub runtime_server: Option<String>,
    pub admin_console: Option<String>,
    pub active_runtime_server: Vec<String>,
    pub active_admin_console: Vec<String>,
}

impl Catalog {
    /// The SSL settings; empty until they were kept once.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn ssl_settings(&self, who: &Caller) -> Result<SslSettings, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        self.store.document(KIND, ID).await?.as_ref().map_or_else(|| Ok(SslSettings::default()), read)
    }

    /// Keeps the SSL settings and gives them as they are kept: a list without ids has the default
    /// alone, an id that is named twice in a list counts once.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` with what was `found` before, and naming the field
    /// (`runtimeServerCertRef.id`, `activeRuntimeServerCerts[n].id`, ...) of an id that is no SSL
    /// server key pair, or of a default that is not among the active ones, where such are named.
    pub async fn put_ssl_settings(
        &self,
        who: &Caller,
        settings: SslSettings,
        mut found: Vec<Violation>,
    ) -> Result<SslSettings, Error> {
        policy::allow(who, policy::Action::ChangeSettings, policy::Resource::Daemon)?;
        let mut missing = HashSet::new();
        let mut references = Vec::new();
        for (_, name) in settings.places() {
            match self.serving(name).await? {
                Some(ring) => references.push(ring),
                None => drop(missing.insert(name.to_owned())),
            }
        }
        let idle = if found.is_empty() { settings.idle() } else { Vec::new() };
        let mut unknown = settings.unknown(&missing);
        unknown.retain(|new| found.iter().all(|known| known.path != new.path));
        found.extend(unknown.into_iter().chain(idle));
        if !found.is_empty() {
            return Err(Error::invalid(found));
        }
        let kept = settings.completed();
        let change = DocumentChange { who, kind: KIND, id: ID };
        match self
            .put(change, &kept, DocumentReferences { references, ..DocumentReferences::none(ExpectedDocument::Any) })
            .await?
        {
            PutOutcome::Done => Ok(kept),
            // Deleted meanwhile.
            PutOutcome::NoSuchRing(ring) => {
                Err(Error::invalid(settings.unknown(&HashSet::from([ring.name().to_owned()]))))
            }
            PutOutcome::Exists | PutOutcome::Changed | PutOutcome::Claimed { .. } => {
                Err(Error::new(ErrorKind::Conflict, "the settings were changed meanwhile"))
            }
        }
    }

    /// The ring of a name, if it has an Active key.
    async fn serving(&self, name: &str) -> Result<Option<RingId>, Error> {
        let Ok(ring) = RingId::new(RingKind::SslServer, name) else { return Ok(None) };
        let serves = self.store.ring(&ring).await?.iter().any(|pair| pair.state == KeyState::Active);
        Ok(serves.then_some(ring))
    }
}

impl SslSettings {
    /// Every id with its place.
    fn places(&self) -> impl Iterator<Item = (String, &str)> {
        let one = |path: &str, name: &'_ Option<String>| name.as_ref().map(|_| format!("{path}.id"));
        let defaults = [("runtimeServerCertRef", &self.runtime_server), ("adminConsoleCertRef", &self.admin_console)];
        let lists = [
            ("activeRuntimeServerCerts", &self.active_runtime_server),
            ("activeAdminConsoleCerts", &self.active_admin_console),
        ];
        let defaults = defaults.into_iter().filter_map(move |(path, name)| one(path, name).zip(name.as_deref()));
        let many = lists.into_iter().flat_map(|(path, names)| {
            names.iter().enumerate().map(move |(n, name)| (format!("{path}[{n}].id"), name.as_str()))
        });
        defaults.chain(many)
    }

    fn unknown(&self, missing: &HashSet<String>) -> Vec<Violation> {
        let unknown = self.places().filter(|(_, name)| missing.contains(*name)).map(|(path, name)| {
            let message = format!("The ID '{name}' names no SSL server key pair.");
            Violation::at(path, Rule::InvalidValue, message)
        });
        unknown.collect()
    }

    /// Defaults that are not among the active ones.
    fn idle(&self) -> Vec<Violation> {
        let pairs = [
            ("runtimeServerCertRef.id", &self.runtime_server, &self.active_runtime_server),
            ("adminConsoleCertRef.id", &self.admin_console, &self.active_admin_console),
        ];
        let idle = pairs.into_iter().filter_map(|(path, default, active)| {
            let default = default.as_ref().filter(|name| !active.is_empty() && !active.contains(name))?;
            let message = format!("The ID '{default}' must be among the active ones.");
            Some(Violation::at(path, Rule::InvalidValue, message))
        });
        idle.collect()
    }

    fn completed(&self) -> Self {
        let list = |default: &Option<String>, active: &[String]| {
            let mut ids: Vec<String> = Vec::with_capacity(active.len());
            for id in if active.is_empty() { default.as_slice() } else { active } {
                if !ids.contains(id) {
                    ids.push(id.clone());
                }
            }
            ids
        };
        Self {
            active_runtime_server: list(&self.runtime_server, &self.active_runtime_server),
            active_admin_console: list(&self.admin_console, &self.active_admin_console),
            ..self.clone()
        }
    }
}

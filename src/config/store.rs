//! Section `[store]`: the database of keys and settings, a SQLite file or PostgreSQL.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{absolute, duration};
use strongroom_domain::key::StoreId;

const PORT: u16 = 5432;

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// A SQLite database in a file.
    Sqlite(PathBuf),
    Postgres(Box<PostgresConfig>),
}

impl std::fmt::Display for StoreConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(config) => write!(f, "PostgreSQL, database {}", config.database),
        }
    }
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Tried in order; the first one that is no replica is used.
    pub hosts: Vec<DatabaseHost>,
    pub user: String,
    pub database: String,
    /// The schema of the tables; absent where the search path of the role says it.
    pub schema: Option<String>,
    pub password: Option<PasswordSource>,
    pub tls: PostgresTls,
    /// PEM certificates of authorities beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client's certificate and key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Connections at most.
    pub connections: u32,
    pub connect_timeout: Duration,
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
    pub pooler: Pooler,
    /// Hosts of a direct connection for notifications; empty without one.
    pub listen: Vec<DatabaseHost>,
    /// The id that the store must have.
    pub id: Option<StoreId>,
}

/// A place where PostgreSQL listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseHost {
    Tcp(String, u16),
    /// The directory of a socket.
    Socket(PathBuf, u16),
}

/// Where a database password lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// A file with nothing but the password; one trailing newline is left out.
    File(PathBuf),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Encryption of connections over TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostgresTls {
    /// The server's certificate must be of a known authority and name the host.
    #[default]
    VerifyFull,
    /// The server's certificate must be of a known authority.
    VerifyCa,
    /// None.
    Disable,
}

/// What stands between the daemon and PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooler {
    #[default]
    None,
    /// A pooler such as pgbouncer that lends a server connection for each transaction.
    Transaction,
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Section {
    path: Option<PathBuf>,
    url: Option<String>,
    listen_url: Option<String>,
    id: Option<String>,
    schema: Option<String>,
    password_file: Option<PathBuf>,
    password_credential: Option<String>,
    tls: Option<PostgresTls>,
    ca_file: Option<PathBuf>,
    client_certificate_file: Option<PathBuf>,
    client_key_file: Option<PathBuf>,
    connections: u32,
    #[serde(deserialize_with = "duration::parse")]
    connect_timeout: Duration,
    #[serde(deserialize_with = "duration::parse")]
    statement_timeout: Duration,
    #[serde(deserialize_with = "duration::parse")]
    lock_timeout: Duration,
    pooler: Pooler,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            path: None,
            url: None,
            listen_url: None,
            id: None,
            schema: None,
            password_file: None,
            password_credential: None,
            tls: None,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            connections: 10,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            pooler: Pooler::None,
        }
    }
}

impl Section {
    pub(super) fn validate(self, findings: &mut Vec<String>) -> StoreConfig {
        match (&self.url, &self.path) {
            (Some(_), Some(_)) => findings.push("store: give either path or url".to_owned()),
            (Some(url), None) => {
                let url = url.clone();
                return self.postgres(&url, findings);
            }
            (None, _) => {
                for (key, given) in self.keys_of_postgres() {
                    if given {
                        findings.push(format!("store.{key}: it belongs to PostgreSQL; give url with it"));
                    }
                }
            }
        }
        StoreConfig::Sqlite(absolute("store.path", self.path, findings))
    }

    fn keys_of_postgres(&self) -> [(&'static str, bool); 10] {
        [
            ("id", self.id.is_some()),
            ("listen-url", self.listen_url.is_some()),
            ("schema", self.schema.is_some()),
            ("password-file", self.password_file.is_some()),
            ("password-credential", self.password_credential.is_some()),
            ("tls", self.tls.is_some()),
            ("ca-file", self.ca_file.is_some()),
            ("client-certificate-file", self.client_certificate_file.is_some()),
            ("client-key-file", self.client_key_file.is_some()),
            ("pooler", self.pooler != Pooler::None),
        ]
    }

    fn postgres(self, url: &str, findings: &mut Vec<String>) -> StoreConfig {
        let place = Place::parse("store.url", url, findings).unwrap_or_default();
        let listen = match &self.listen_url {
            Some(url) => Place::parse("store.listen-url", url, findings).unwrap_or_default().hosts,
            // A pooler's connection is another one after each transaction.
            None if self.pooler == Pooler::Transaction => Vec::new(),
            None => place.hosts.clone(),
        };
        self.validate_limits(findings);
        if self.schema.as_deref().is_some_and(|name| !is_schema(name)) {
            findings.push("store.schema: 1 to 63 lower-case letters, digits and _, no digit first".to_owned());
        }
        let id = self.store_id(findings);
        let password = self.password(findings);
        let client_certificate = self.client_certificate(findings);
        let ca_file = self.ca_file.map(|file| absolute("store.ca-file", Some(file), findings));
        StoreConfig::Postgres(Box::new(PostgresConfig {
            hosts: place.hosts,
            user: place.user,
            database: place.database,
            schema: self.schema,
            password,
            tls: self.tls.unwrap_or_default(),
            ca_file,
            client_certificate,
            connections: self.connections,
            connect_timeout: self.connect_timeout,
            statement_timeout: self.statement_timeout,
            lock_timeout: self.lock_timeout,
            pooler: self.pooler,
            listen,
            id,
        }))
    }

    fn validate_limits(&self, findings: &mut Vec<String>) {
        if !(2..=1000).contains(&self.connections) {
            findings.push("store.connections: between 2 and 1000".to_owned());
        }
        let limits = [
            ("connect-timeout", self.connect_timeout),
            ("statement-timeout", self.statement_timeout),
            ("lock-timeout", self.lock_timeout),
        ];
        for (key, limit) in limits {
            if !(Duration::from_millis(100)..=Duration::from_secs(600)).contains(&limit) {
                findings.push(format!("store.{key}: between 100ms and 10m"));
            }
        }
    }

    fn store_id(&self, findings: &mut Vec<String>) -> Option<StoreId> {
        let text = self.id.as_deref()?;
        let id = text.parse().ok();
        if id.is_none() {
            findings.push(format!("store.id: `{text}` is no store id, a UUID"));
        }
        id
    }

    fn client_certificate(&self, findings: &mut Vec<String>) -> Option<(PathBuf, PathBuf)> {
        match (self.client_certificate_file.clone(), self.client_key_file.clone()) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((
                absolute("store.client-certificate-file", Some(certificate), findings),
                absolute("store.client-key-file", Some(key), findings),
            )),
            _ => {
                findings.push("store: client-certificate-file and client-key-file go together".to_owned());
                None
            }
        }
    }

    fn password(&self, findings: &mut Vec<String>) -> Option<PasswordSource> {
        match (self.password_file.clone(), self.password_credential.clone()) {
            (None, None) => None,
            (Some(file), None) => Some(PasswordSource::File(absolute("store.password-file", Some(file), findings))),
            (None, Some(name)) => Some(PasswordSource::Credential(name)),
            (Some(_), Some(_)) => {
                findings.push("store: give either password-file or password-credential".to_owned());
                None
            }
        }
    }
}

/// What a URL `postgres://USER@HOST[:PORT][,HOST[:PORT]]/DATABASE` names (libpq, "Connection URIs").
#[derive(Default)]
struct Place {
    user: String,
    hosts: Vec<DatabaseHost>,
    database: String,
}

impl Place {
    fn parse(key: &str, url: &str, findings: &mut Vec<String>) -> Option<Self> {
        match Self::read(url) {
            Ok(place) => Some(place),
            Err(fault) => {
                findings.push(format!("{key}: {fault}"));
                None
            }
        }
    }

    fn read(url: &str) -> Result<Self, &'static str> {
        const FORM: &str = "it is no URL postgres://USER@HOST[:PORT][,HOST[:PORT]]/DATABASE";
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")).ok_or(FORM)?;
        if rest.contains(['?', '#']) {
            return Err("parameters have keys of their own in [store]");
        }
        let (authority, database) = rest.split_once('/').ok_or(FORM)?;
        let (user, hosts) = authority.rsplit_once('@').ok_or("it names no user")?;
        if user.contains(':') {
            return Err("passwords lie in password-file or password-credential, never in the URL");
        }
        let (user, database) = (decoded(user).ok_or(FORM)?, decoded(database).ok_or(FORM)?);
        if user.is_empty() || database.is_empty() || database.contains('/') {
            return Err(FORM);
        }
        let hosts: Option<Vec<DatabaseHost>> = hosts.split(',').map(DatabaseHost::parse).collect();
        Ok(Self { user, database, hosts: hosts.ok_or(FORM)? })
    }
}

impl DatabaseHost {
    fn parse(text: &str) -> Option<Self> {
        // An IPv6 address stands in brackets.
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                address.parse::<std::net::Ipv6Addr>().ok()?;
                (address, port)
            }
            None => text.find(':').and_then(|at| text.split_at_checked(at)).unwrap_or((text, "")),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if port.is_empty() => PORT,
            None => return None,
        };
        let host = decoded(host).filter(|host| !host.is_empty())?;
        Some(if host.starts_with('/') { Self::Socket(host.into(), port) } else { Self::Tcp(host, port) })
    }

    /// Whether no network lies between.
    #[must_use]
    pub fn is_here(&self) -> bool {
        match self {
            Self::Socket(..) => true,
            Self::Tcp(host, _) => host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        }
    }
}

impl std::fmt::Display for DatabaseHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(directory, port) => write!(f, "{}:{port}", directory.display()),
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Whether a name needs no quotes as an identifier.
fn is_schema(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

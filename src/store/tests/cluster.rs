//! A PostgreSQL of this process's own, and a schema of its own for each store.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::config::{DatabaseHost, Pooler, PostgresConfig, PostgresTls};

const PORT: u16 = 5432;

/// A running server; it ends with this process, which holds its standard input.
pub(super) struct Cluster {
    pub(super) directory: PathBuf,
    _keeper: Child,
}

/// The server of this process, started by the first test that needs it.
pub(super) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/cluster");
        let directory = std::env::temp_dir().join(format!("strongroom-pg-{}", std::process::id()));
        let keeper = Command::new(script).arg(&directory).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut keeper = keeper.expect("tests/postgres/cluster");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "tests/postgres/cluster did not start; see what it said above");
        Self { directory, _keeper: keeper }
    }

    /// A connection as `user`, beside every store.
    pub(super) async fn connect(&self, user: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass().socket(&self.directory).port(PORT).username(user);
        PgConnection::connect_with(&options.database("strongroom")).await.unwrap()
    }

    /// The configuration of a store in a new schema.
    pub(super) async fn schema(&self) -> PostgresConfig {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let schema = format!("store_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut conn = self.connect("strongroom").await;
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut conn).await.unwrap();
        self.config(Some(schema))
    }

    pub(super) fn config(&self, schema: Option<String>) -> PostgresConfig {
        let host = DatabaseHost::Socket(self.directory.clone(), PORT);
        PostgresConfig {
            hosts: vec![host.clone()],
            user: "strongroom".to_owned(),
            database: "strongroom".to_owned(),
            schema,
            password: None,
            tls: PostgresTls::default(),
            ca_file: None,
            client_certificate: None,
            connections: 10,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            pooler: Pooler::None,
            listen: vec![host],
            id: None,
        }
    }
}

//! PostgreSQL servers of the tests' own, and a schema in one for each test's directory.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::http::block_on;
use super::programs::run;
use super::scratch::Scratch;

/// A server on a socket in a directory of its own; it ends with this value, or with the process.
pub struct Cluster {
    directory: PathBuf,
    keeper: Child,
    _scratch: Scratch,
}

impl Cluster {
    /// Starts a server.
    pub fn start() -> Self {
        let scratch = Scratch::new();
        // PostgreSQL runs as another user, who has to get there.
        open_to_all(&scratch);
        let directory = scratch.join("postgres");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/cluster");
        let keeper = Command::new(script).arg(&directory).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut keeper = keeper.expect("tests/postgres/cluster");
        let mut line = String::new();
        let stdout = keeper.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line of tests/postgres/cluster");
        assert_eq!(
            line.trim(),
            "ready",
            "tests/postgres/cluster did not start; tests/postgres/setup installs PostgreSQL"
        );
        Self { directory, keeper, _scratch: scratch }
    }

    /// The directory of the socket.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The URL of its database, for a user.
    pub fn url(&self, user: &str, database: &str) -> String {
        let socket = self.directory.display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{socket}/{database}")
    }

    /// Has `pg_ctl` do something: `stop -m immediate`, `start`.
    pub fn control(&self, words: &[&str]) {
        let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/setup");
        let bin = run(Command::new(setup).arg("--bin"), b"");
        let program = format!("{}/pg_ctl", String::from_utf8_lossy(&bin.stdout).trim());
        let (data, log) = (self.directory.join("data"), self.directory.join("log"));
        let mut command = as_postgres(&program);
        command.arg("-D").arg(data).arg("-l").arg(log).arg("-w").args(words).current_dir(&self.directory);
        // The server must not keep the pipes of this call.
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(done.expect("pg_ctl").success(), "pg_ctl {words:?}");
    }

    /// A connection as the owner of the tables.
    pub async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass().socket(&self.directory).username("strongroom");
        PgConnection::connect_with(&options.database("strongroom")).await.expect("a connection to PostgreSQL")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A command as the user who runs PostgreSQL: it does not run as root.
pub fn as_postgres(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    }
}

/// The server of all tests that need one and do not stop it.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// The keys of `[store]` for a test's directory, in a schema of its own.
pub fn store_lines(dir: &Path) -> String {
    let schema = schema(dir);
    block_on(async {
        let mut conn = shared().connect().await;
        let made = sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}")));
        made.execute(&mut conn).await.expect("a schema");
    });
    format!("url = \"{}\"\nschema = \"{schema}\"\n", shared().url("strongroom", "strongroom"))
}

/// A connection to the tables of a test's directory.
pub async fn connect(dir: &Path) -> PgConnection {
    let mut conn = shared().connect().await;
    let path = format!("SET search_path TO {}, public", schema(dir));
    sqlx::query(AssertSqlSafe(path)).execute(&mut conn).await.expect("a search path");
    // As SQLite has it.
    let hex = "CREATE OR REPLACE FUNCTION pg_temp.hex(bytea) RETURNS text LANGUAGE sql
               AS $$ SELECT upper(encode($1, 'hex')) $$";
    sqlx::query(hex).execute(&mut conn).await.expect("a function");
    conn
}

fn schema(dir: &Path) -> String {
    let dir = dir.canonicalize().expect("the test's directory");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, dir.as_os_str().as_encoded_bytes());
    let name = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}"));
    format!("s_{}", name.collect::<String>())
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711)).expect("a directory's mode");
}

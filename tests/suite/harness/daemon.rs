//! Daemons: started, asked, stopped, and never left behind.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::configuration::{ADMIN, Configuration};
use super::http::{Answer, Call};
use super::lane::{on_local_keys, on_postgres};
use super::postgres;
use super::programs::run;
use super::requests::GENERATE;
use super::wait::eventually;

/// A debug build on a busy machine that makes a token first.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(45);

/// A command of the binary in the making.
pub struct Launch {
    command: Command,
    mode: Mode,
}

enum Mode {
    /// The admin's secret lies in the data directory, unless the environment has it.
    Dev { admin_token: PathBuf },
    /// The admin's secret is the one of every [`Configuration`].
    Serve,
    /// The same, ready once it is started, as `dev` is.
    ReadyServe,
    /// Ends by itself.
    Command,
}

impl Launch {
    /// `daemon dev` on a port that it picks, without a stock that comes and goes by itself.
    ///
    /// Where tests have LOCAL keys it is `daemon serve` without a token, in other things as `dev` is.
    pub fn dev(data: &Path) -> Self {
        if on_local_keys() {
            return Self { mode: Mode::ReadyServe, ..Self::serve(&Configuration::local(data)) };
        }
        Self::stocked_dev(data).arg("--no-stock")
    }

    /// `daemon dev` as its users start it, on a port that it picks.
    pub fn stocked_dev(data: &Path) -> Self {
        if on_postgres() {
            fs::create_dir_all(data).expect("the data directory");
            fs::write(data.join("store.toml"), postgres::store_lines(data)).expect("the store's configuration");
        }
        let mode = Mode::Dev { admin_token: data.join("admin-token") };
        let args = ["dev".as_ref(), "--data".as_ref(), data.as_os_str(), "--listen".as_ref(), "127.0.0.1:0".as_ref()];
        Self::new(args, mode)
    }

    /// `daemon serve`.
    pub fn serve(configuration: &Configuration) -> Self {
        Self::new(["serve".as_ref(), "--config".as_ref(), configuration.write().as_os_str()], Mode::Serve)
    }

    /// `daemon ARGS...`, which ends by itself.
    pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::new(args, Mode::Command)
    }

    fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, mode: Mode) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.args(args).env_remove("SOFTHSM2_CONF");
        for name in [
            "STRONGROOM_ADMIN_TOKEN",
            "STRONGROOM_TEST_AT",
            "STRONGROOM_TEST_CLOCK",
            "STRONGROOM_TEST_ALGORITHM",
            "STRONGROOM_TEST_WITHHELD_RING",
        ] {
            command.env_remove(name);
        }
        Self { command, mode }
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Stops at a point: see `strongroom_domain::failpoint`.
    pub fn at(self, rules: &str) -> Self {
        assert!(has_hooks(), "build with `--features test-hooks`, as `make test` does");
        self.env("STRONGROOM_TEST_AT", rules)
    }

    /// Runs a command to its end.
    pub fn run(mut self) -> Output {
        run(&mut self.command, b"")
    }

    /// Starts a daemon and waits until it says where it listens; `serve` may still lack its token.
    pub fn start(mut self) -> Daemon {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the daemon's binary");
        let stdout = Lines::of(child.stdout.take().expect("a pipe"));
        let stderr = Lines::of(child.stderr.take().expect("a pipe"));
        let http = reqwest::Client::builder().build().expect("an HTTP client");
        let mut daemon = Daemon { child, stdout, stderr, http, base: String::new(), secret: ADMIN.to_owned() };
        daemon.base = daemon.announced();
        if let Mode::ReadyServe = self.mode {
            daemon.await_ready();
        }
        if let Mode::Dev { admin_token } = self.mode {
            let given = self.command.get_envs().find(|(name, _)| *name == "STRONGROOM_ADMIN_TOKEN");
            daemon.secret = match given.and_then(|(_, value)| value) {
                Some(secret) => secret.to_string_lossy().into_owned(),
                None => fs::read_to_string(admin_token).expect("the admin token").trim_end().to_owned(),
            };
        }
        daemon
    }
}

/// A running daemon; dropping it kills it.
pub struct Daemon {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    http: reqwest::Client,
    base: String,
    secret: String,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `http://ADDRESS`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The admin's secret.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// What it has said on its standard output so far.
    pub fn said(&self) -> String {
        self.stdout.text()
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.http, method, format!("{}{path}", self.base), &self.secret)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send()
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send()
    }

    /// Asks for a signing key pair.
    pub fn generate(&self, request: &Value) -> Answer {
        self.call(Method::POST, GENERATE).json(request).send()
    }

    /// Waits until a path answers with a status; the test fails when it never does.
    pub fn await_status(&mut self, path: &str, status: u16) -> Answer {
        eventually(&format!("{path} with {status}"), START, || {
            assert!(self.ended().is_none(), "the daemon ended by itself");
            self.call(Method::GET, path).try_send().ok().filter(|answer| answer.status.as_u16() == status)
        })
    }

    /// Waits until the token is logged in and the store is open.
    pub fn await_ready(&mut self) {
        self.await_status("/readyz", 200);
    }

    /// The process ids of its token hosts.
    pub fn hosts(&self) -> Vec<u32> {
        children_of(self.pid())
    }

    /// The process ids of those that sign, by the daemon's log.
    pub fn signing_hosts(&self) -> Vec<u32> {
        let log = self.log();
        let signs = |pid: &u32| {
            let ready = |line: &str| line.contains(&format!("\"pid\":{pid},")) && line.contains("\"role\":\"Sign\"");
            log.lines().any(ready)
        };
        self.hosts().into_iter().filter(signs).collect()
    }

    /// Ends a token host as the kernel would.
    pub fn kill_host(host: u32) {
        signal(host, Signal::KILL);
    }

    /// Asks it to stop and waits for its exit.
    pub fn stop(mut self, how: Signal) -> ExitStatus {
        signal(self.pid(), how);
        self.await_end()
    }

    /// Kills it without warning.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        self.await_end();
    }

    /// Kills it without warning while others still ask it.
    pub fn kill_at_once(&self) {
        signal(self.pid(), Signal::KILL);
    }

    /// Waits for an end that somebody else brings about.
    pub fn await_end(&mut self) -> ExitStatus {
        eventually("the end of the daemon", STOP, || self.ended())
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the daemon's status")
    }

    fn announced(&mut self) -> String {
        let line = eventually("the line that says that the daemon is ready", START, || {
            assert!(self.ended().is_none(), "the daemon ended by itself");
            self.stdout.text().lines().next().map(str::to_owned)
        });
        let address = line.strip_prefix("strongroom is ready at ");
        address.unwrap_or_else(|| panic!("`{line}` is not the announced line")).to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log ---\n{}---", self.log());
        }
    }
}

const fn has_hooks() -> bool {
    cfg!(feature = "test-hooks")
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("a process to signal");
}

/// Direct children, by the parent that each process names in `/proc`.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in parentheses may hold blanks; state and parent follow it.
        let mut after = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        after.next() != Some("Z") && after.next() == Some(parent.to_string().as_str())
    };
    let mut found: Vec<u32> = pids.filter(is_child).collect();
    found.sort_unstable();
    found
}

/// A stream that is read to its end in the background.
struct Lines(Arc<Mutex<String>>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&text);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let mut text = sink.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        });
        Self(text)
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

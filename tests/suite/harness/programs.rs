//! Programs of other families.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// Runs a program to its end, with `input` on its standard input.
///
/// The test fails with the remedy when the program is not there; the exit status is
/// the caller's business.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.unwrap_or_else(|failure| {
        panic!("{}: {failure}; softhsm/setup installs what the tests need", command.get_program().display())
    });
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that reads no input closes the pipe: no failure of the test.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the program's output")
}

/// Runs a program that has to succeed, and gives its standard output.
pub fn stdout_of(command: &mut Command) -> String {
    let output = run(command, b"");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The SoftHSM module on this machine.
pub fn softhsm_module() -> &'static Path {
    static MODULE: LazyLock<PathBuf> = LazyLock::new(|| {
        let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("softhsm/setup");
        PathBuf::from(stdout_of(Command::new("sh").arg(setup).arg("--module")).trim())
    });
    &MODULE
}

/// The Python that has the oracles' packages: `make test` prepares one.
pub fn python() -> Command {
    Command::new(std::env::var_os("STRONGROOM_ORACLES_PYTHON").as_deref().unwrap_or(OsStr::new("python3")))
}

/// Something that `cargo build -p strongroom-faults` puts beside the daemon.
pub fn built_beside_daemon(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_strongroom")).with_file_name(name);
    assert!(path.exists(), "{} is not there: build it with `cargo build -p strongroom-faults`", path.display());
    path
}

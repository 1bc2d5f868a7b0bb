//! How a command runs, and how its failure is said.

use std::process::ExitCode;

/// Prints a failure with its causes in one line.
#[allow(clippy::print_stderr, reason = "the command line speaks to people here")]
pub(super) fn fail(failure: &anyhow::Error) -> ExitCode {
    let causes: Vec<String> = failure.chain().map(ToString::to_string).collect();
    eprintln!("strongroom: {}", causes.join(": "));
    ExitCode::FAILURE
}

/// Runs a future on the daemon's runtime, on half of the cores: the others are for token hosts, and work
/// that goes from thread to thread wakes each of them.
pub(super) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?.block_on(future)
}

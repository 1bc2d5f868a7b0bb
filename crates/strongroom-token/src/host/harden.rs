//! What a process does that will know a PIN: nothing of it may be dumped, traced or
//! swapped out, and it ends only as its client wants.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::{process, thread};
use tokio::signal::unix::{SignalKind, signal};

/// Forbids core dumps, tracing by others and new privileges; locks memory where the
/// limits allow it. What the system refuses is logged and done without.
pub(super) fn harden() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    note("forbid core dumps", process::setrlimit(Resource::Core, none));
    note("become undumpable", process::set_dumpable_behavior(DumpableBehavior::NotDumpable));
    note("forgo new privileges", thread::set_no_new_privs(true));
    // Under a finite limit a later allocation would fail and end the host.
    if process::getrlimit(Resource::Memlock).current.is_none() {
        let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        note("lock memory", mlockall(all));
    }
}

/// Lets signatures go first.
pub(super) fn yield_to_others() {
    note("lower its priority", process::nice(10).map(|_| ()));
}

/// Makes SIGINT and SIGTERM harmless: the client drains first and then closes the stream.
///
/// Tokio keeps a handler for as long as the process lives once it has been asked for one;
/// the runtime that asks is not needed afterwards.
pub(super) fn ignore_stop_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _context = runtime.enter();
    drop(signal(SignalKind::interrupt())?);
    drop(signal(SignalKind::terminate())?);
    Ok(())
}

/// Ends the process at once.
///
/// Not by `exit`, whose handlers finalise the module under running calls (SoftHSM 2.6.1
/// takes SIGSEGV, 2026-11-20), and not by `abort`, which asks for a core dump: SIGKILL
/// runs nothing.
pub(super) fn exit_at_once() -> ! {
    note("kill itself", process::kill_process(process::getpid(), Signal::KILL));
    loop {
        std::thread::park();
    }
}

fn note(what: &str, outcome: rustix::io::Result<()>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "the token host could not {what}");
    }
}

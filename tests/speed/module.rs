//! Children that work the module, and what they measured.

use std::process::{Command, Output};

use super::harness::{Token, run};

/// Signatures of the module alone.
pub(crate) struct Signed {
    /// A second.
    pub(crate) rate: f64,
    /// CPU microseconds for one.
    pub(crate) micros: f64,
}

/// Generations a second on one session.
pub(crate) fn generations(token: &Token, algorithm: &str, size: u32, seconds: u32) -> f64 {
    figures(&run(&mut child(token, "generate", &[algorithm, &size.to_string(), &seconds.to_string()]), b""))[0]
}

/// Signatures by the token's one key that signs, from processes of so many threads.
pub(crate) fn signatures(token: &Token, processes: usize, threads: usize, seconds: u32) -> Signed {
    let arguments = [threads.to_string(), seconds.to_string()];
    let arguments = arguments.each_ref().map(String::as_str);
    let measured: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let work = || figures(&run(&mut child(token, "sign", &arguments), b""));
        let running: Vec<_> = (0..processes).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|process| process.join().expect("a process")).collect()
    });
    let rate: f64 = measured.iter().map(|figures| figures[0]).sum();
    let micros = measured.iter().map(|figures| figures[0] * figures[1]).sum::<f64>() / rate;
    Signed { rate, micros }
}

/// Makes P-256 key pairs.
pub(crate) fn fill(token: &Token, count: usize) {
    figures(&run(&mut child(token, "fill", &[&count.to_string()]), b""));
}

/// Seconds of `C_Initialize`.
pub(crate) fn opening(token: &Token) -> f64 {
    figures(&run(&mut child(token, "open", &[]), b""))[0]
}

fn child(token: &Token, what: &str, arguments: &[&str]) -> Command {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.env("SOFTHSM2_CONF", &token.conf).env("TOKEN_PIN", &token.pin);
    child.args(["raw", what]).arg(token.module).arg(&token.label).args(arguments);
    child
}

fn figures(output: &Output) -> Vec<f64> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the module did not work: {said}");
    String::from_utf8_lossy(&output.stdout).split_whitespace().flat_map(str::parse).collect()
}

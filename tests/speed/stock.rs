//! Key pairs with their certificates, from stock and without, beside what the module takes to make a key.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

use super::harness::{self, Configuration, Daemon, Launch, Scratch, Token, eventually, key_pair};
use super::raw;

/// RSA 2048 keys in stock, and in each median.
const COUNT: u32 = 50;

/// Prints one line for RSA 2048.
pub(crate) fn print() {
    let dir = Scratch::new();
    let raw = raw_median(&Token::fresh(&dir));
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let stock = format!("[stock]\ntargets = {{ rsa-2048 = {COUNT} }}\nidle = \"5s\"");
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(&stock)).start();
    daemon.await_ready();
    let full = format!("strongroom_stock_keys{{algorithm=\"rsa-2048\"}} {COUNT}");
    eventually("a full stock", Duration::from_secs(300), || {
        let level = daemon.get("/metrics").expect(200).text();
        level.lines().any(|line| line == full).then_some(())
    });
    // They follow each other too closely for the stock to be filled up meanwhile.
    let from_stock = http_median(&daemon);
    let without = http_median(&daemon);
    println!("RSA 2048, medians of {COUNT}     raw C_GenerateKeyPair   HTTP, from stock   HTTP, without stock");
    let of_raw = |time: f64| format!("{:.1} ms", time * 1e3);
    println!("{:>45} {:>18} {:>21}", of_raw(raw), of_raw(from_stock), of_raw(without));
    println!("\nfrom stock, certificate included, {:.0} times faster than the raw generation;", raw / from_stock);
    println!("the aim is 30 or more\n");
}

fn http_median(daemon: &Daemon) -> f64 {
    let request = key_pair("RSA", Some(2048));
    median(|| drop(daemon.generate(&request).expect(201)))
}

fn median(mut action: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..COUNT)
        .map(|_| {
            let start = Instant::now();
            action();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Measured in a child, because a module reads its configuration from the environment.
fn raw_median(token: &Token) -> f64 {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.env("SOFTHSM2_CONF", &token.conf).env("TOKEN_PIN", &token.pin);
    child.arg("raw-median").arg(token.module).arg(&token.label);
    let output = harness::run(&mut child, b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| panic!("no median: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Seconds that the token takes for an RSA 2048 key, as their median.
///
/// # Errors
/// When the token does not do as it is told.
pub(crate) fn measure(arguments: &[String]) -> Result<f64, Box<dyn Error>> {
    let [module, label] = arguments else { return Err("module, label".into()) };
    let token = Pkcs11::new(module)?;
    token.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let mut slots = token.get_slots_with_token()?.into_iter();
    let slot = slots.find(|slot| token.get_token_info(*slot).is_ok_and(|info| info.label() == label));
    let session = token.open_rw_session(slot.ok_or("no such token")?)?;
    session.login(UserType::User, Some(&AuthPin::new(std::env::var("TOKEN_PIN")?.into())))?;
    let mut turn = 0;
    Ok(median(|| {
        turn += 1;
        raw::generate(&session, true, 2048, turn).expect("a key");
    }))
}

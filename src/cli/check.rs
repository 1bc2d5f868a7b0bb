//! `daemon check`: a configuration, its token and its store, before anybody relies
//! on them.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::block_on;
use crate::config::{Config, DatabaseHost, MasterKeySource, PasswordSource, PostgresTls, StoreConfig};
use crate::daemon::{self, Offline};
use crate::services::custody::{self, LocalKeyInspection};
use crate::store::{ReadOnlyOpen, Store};
use strongroom_domain::key::{KeyAlgorithm, KeyPair, KeyState, SignatureAlgorithm};
use strongroom_token::{PinSource, TokenFacts, TokenSelector};

/// Prints what it sees and every finding; exits 1 when there is one.
#[allow(clippy::print_stdout, reason = "the report is the command's output")]
pub(super) fn run(path: &Path) -> ExitCode {
    let findings = match Config::load(path) {
        Ok(config) => {
            println!("configuration  {} is well formed", path.display());
            block_on(look(&config)).unwrap_or_else(|failure| vec![format!("{failure:#}")])
        }
        Err(findings) => findings.0,
    };
    for finding in &findings {
        println!("finding        {finding}");
    }
    match findings.len() {
        0 => println!("no findings"),
        count => println!("findings: {count}"),
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[allow(clippy::print_stdout, reason = "the report is the command's output")]
async fn look(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut findings = suspicions(config);
    daemon::make_state_dir(&config.state_dir)?;
    let mut logged_in = false;
    if let Some(options) = daemon::token_options(config)? {
        let report = strongroom_token::probe(&options).await;
        logged_in = report.logged_in;
        if let Some(facts) = &report.facts {
            describe(facts);
            println!("log-in         {}", if logged_in { "succeeded" } else { "failed" });
        }
        findings.extend(report.findings);
    }
    describe_sealing(config);
    findings.extend(unwritable(&config.store));
    let path = &config.store;
    match Store::open_read_only(&config.store).await {
        Ok(ReadOnlyOpen::Absent) => println!("store          {path} is not there yet; the first start makes it"),
        Ok(ReadOnlyOpen::Outdated { version, latest }) => {
            println!(
                "store          {path} has schema {version}; the next start brings it to {latest}: back it up before"
            );
        }
        Ok(ReadOnlyOpen::Current(store)) => {
            println!("store          {path} opened, store id {}", store.id());
            describe_stock(config, &store.stock().await?);
            findings.extend(custody::unreachable_keys(store.as_ref(), &config.providers()).await?);
            let keys = look_at_keys(config, store, logged_in).await;
            findings.extend(keys.unwrap_or_else(|failure| vec![format!("{failure:#}")]));
        }
        Err(failure) => findings.push(format!("{path}: {failure}")),
    }
    Ok(findings)
}

/// A finding about a file that cannot be written.
fn unwritable(store: &StoreConfig) -> Option<String> {
    let StoreConfig::Sqlite(path) = store else { return None };
    let place = if path.exists() { path.as_path() } else { path.parent()? };
    let failure = rustix::fs::access(place, rustix::fs::Access::WRITE_OK).err()?;
    Some(format!("{} cannot be written: {failure}", place.display()))
}

/// What seals software keys, and what its loss means.
#[allow(clippy::print_stdout, reason = "the report is the command's output")]
fn describe_sealing(config: &Config) {
    let what = match &config.local {
        None => return,
        Some(MasterKeySource::Token) => "a key of the token".to_owned(),
        Some(MasterKeySource::KeyFile(file)) => format!("the key file {}", file.display()),
    };
    println!("LOCAL keys     sealed under master keys, which are sealed by {what}");
    println!("               losing that key loses every LOCAL key; keep a copy, or a backup of the token");
}

/// Whether every LOCAL key opens.
#[allow(clippy::print_stdout, reason = "the report is the command's output")]
async fn look_at_keys(config: &Config, store: Arc<Store>, logged_in: bool) -> anyhow::Result<Vec<String>> {
    match config.local {
        None => {
            store.close().await;
            return Ok(Vec::new());
        }
        Some(MasterKeySource::Token) if !logged_in => {
            store.close().await;
            return Ok(vec!["the LOCAL keys were not tried: the token is not logged in".to_owned()]);
        }
        _ => {}
    }
    let offline = Offline::inspect(config, store).await?;
    let seen = match offline.master_keys() {
        Some(master_keys) => master_keys.inspect().await,
        None => Ok(LocalKeyInspection::default()),
    };
    offline.close().await;
    let seen = seen?;
    match seen.masters {
        0 => println!("master keys    none yet; the first start makes one"),
        count => println!("master keys    {count}; LOCAL keys that open: {}", seen.open),
    }
    for idle in &seen.unused {
        println!("               {idle}");
    }
    Ok(seen.findings)
}

/// What is allowed but unwise.
fn suspicions(config: &Config) -> Vec<String> {
    let mut findings = Vec::new();
    if let StoreConfig::Postgres(store) = &config.store {
        if store.tls == PostgresTls::Disable && !store.hosts.iter().all(DatabaseHost::is_here) {
            findings.push("store.tls: connections to the database are not encrypted".to_owned());
        }
        if let Some(PasswordSource::File(file)) = &store.password {
            findings.extend(readable_by_others(file));
        }
    }
    let Some(token) = &config.token else { return findings };
    if let TokenSelector::SlotId(slot) = token.selector {
        findings.push(format!("token.slot-id: slots are renumbered; name slot {slot}'s token by label or serial"));
    }
    if let PinSource::File(file) = &token.pin {
        findings.extend(readable_by_others(file));
    }
    findings
}

fn readable_by_others(file: &Path) -> Option<String> {
    let open = file.metadata().is_ok_and(|facts| facts.mode() & 0o077 != 0);
    open.then(|| format!("{} can be read by other users; say chmod 600", file.display()))
}

#[allow(clippy::print_stdout, reason = "the report is the command's output")]
fn describe_stock(config: &Config, stock: &[KeyPair]) {
    for algorithm in KeyAlgorithm::all() {
        let level = stock.iter().filter(|pair| pair.algorithm == algorithm && pair.state == KeyState::Stocked).count();
        let target = config.stock.targets.get(&algorithm);
        if level > 0 || target.is_some() {
            println!("stock          {:<14} {level} of {}", algorithm.name(), target.unwrap_or(&0));
        }
    }
}

#[allow(clippy::print_stdout, reason = "the report is the command's output")]
fn describe(facts: &TokenFacts) {
    println!("token          label {:?}, serial {:?}, slot {}", facts.label, facts.serial, facts.slot);
    println!("               {} {}, firmware {}", facts.manufacturer, facts.model, facts.firmware);
    let sessions = facts.max_sessions.map_or_else(|| "no limit named".to_owned(), |most| format!("{most} at most"));
    println!("sessions       {sessions}");
    println!("mechanisms     {}", facts.mechanisms.join(" "));
    for algorithm in KeyAlgorithm::all() {
        let signatures = facts.algorithms.iter().find(|(known, _)| *known == algorithm).map(|(_, how)| how);
        let how = signatures.map_or_else(
            || "cannot be generated".to_owned(),
            |how| how.iter().map(|signature| SignatureAlgorithm::jca_name(*signature)).collect::<Vec<_>>().join(" "),
        );
        println!("{:<14} {how}", algorithm.name());
    }
    let decryptions: Vec<&str> = facts.decryptions.iter().map(|algorithm| algorithm.name()).collect();
    println!("decryption     {}", if decryptions.is_empty() { "none known".to_owned() } else { decryptions.join(" ") });
}

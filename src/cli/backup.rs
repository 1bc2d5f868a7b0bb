//! `strongroom backup` and `strongroom restore`: a checked copy of the store, and its way back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::block_on;
use super::reconcile::Source;
use crate::config::{Config, MasterKeySource, StoreConfig};
use crate::daemon::InstanceLock;
use crate::store::backup::{self, StoreSummary};
use strongroom_domain::clock::{Clock as _, SystemClock};

/// The form of the manifest.
const FORMAT: u32 = 1;

/// Files that SQLite keeps beside a store's file.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

#[derive(clap::Args)]
pub(super) struct BackupArguments {
    #[command(flatten)]
    source: Source,
    /// The new file; FILE.manifest.json is written beside it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct RestoreArguments {
    #[command(flatten)]
    source: Source,
    /// A file that `strongroom backup` wrote, with its manifest beside it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keep the present store under another name and put the backup in its place
    #[arg(long)]
    replace: bool,
}

/// What a backup holds, and what a restore needs beside it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Manifest {
    format: u32,
    /// When the backup was made (RFC 3339).
    made: String,
    /// The version of strongroom that made it.
    strongroom: String,
    store_id: String,
    schema: i64,
    epoch: i64,
    rows: BTreeMap<String, u64>,
    bytes: u64,
    sha256: String,
    needs: Vec<String>,
}

/// Copies the store while daemons may use it.
#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
pub(super) fn back_up(arguments: &BackupArguments) -> anyhow::Result<()> {
    let config = arguments.source.load()?;
    let file = &arguments.file;
    let manifest_file = beside(file, ".manifest.json");
    let store = file_of(&config)?;
    ensure!(store.exists(), "there is no store at {} yet", store.display());
    for taken in [file, &manifest_file] {
        ensure!(!taken.exists(), "{} exists; name a new file", taken.display());
    }
    let unfinished = beside(file, ".part");
    // Left by a backup that was cut off.
    remove_if_there(&unfinished)?;
    let copied = block_on(async { Ok(backup::copy(store, &unfinished).await?) });
    let summary = copied.with_context(|| format!("the store cannot be copied to {}", unfinished.display()))?;
    let manifest = Manifest::of(&config, &summary, &unfinished)?;
    write_new(&manifest_file, &serde_json::to_vec_pretty(&manifest)?)?;
    rename_synced(&unfinished, file)?;
    println!("{}: {} bytes, {}", file.display(), manifest.bytes, counts(&manifest.rows));
    println!("a restore also needs:");
    for need in &manifest.needs {
        println!("- {need}");
    }
    Ok(())
}

/// Puts a backup in the place of the store of a stopped daemon.
#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
pub(super) fn restore(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let config = arguments.source.load()?;
    let _lock = InstanceLock::acquire(&config.state_dir)?;
    let manifest = Manifest::beside(&arguments.file)?;
    let store = file_of(&config)?;
    let former = store.exists();
    ensure!(
        arguments.replace || !former,
        "there is a store at {}; `--replace` keeps it under another name",
        store.display()
    );
    let unfinished = beside(store, ".part");
    // Left by a restore that was cut off.
    remove_if_there(&unfinished)?;
    copy_new(&arguments.file, &unfinished)?;
    let restored = manifest.require(&unfinished);
    if restored.is_err() {
        remove_if_there(&unfinished)?;
    }
    let summary = restored?;
    if former {
        println!("the former store is now {}", put_aside(store)?.display());
    }
    rename_synced(&unfinished, store)?;
    println!("restored the store of {}: {}", manifest.made, counts(&summary.rows));
    println!("keys that were made, rotated or deleted since then are not in it: run `strongroom reconcile` before the");
    println!("daemon, which lists what the token holds beyond the store");
    Ok(())
}

impl Manifest {
    fn of(config: &Config, summary: &StoreSummary, file: &Path) -> anyhow::Result<Self> {
        let (bytes, sha256) = digest_of(file)?;
        let StoreSummary { id, schema, epoch, rows, master_keys } = summary.clone();
        Ok(Self {
            format: FORMAT,
            made: SystemClock.now().to_string(),
            strongroom: env!("CARGO_PKG_VERSION").to_owned(),
            store_id: id.to_string(),
            schema,
            epoch,
            rows,
            bytes,
            sha256,
            needs: needs(config, &master_keys),
        })
    }

    /// The manifest of a backup.
    fn beside(file: &Path) -> anyhow::Result<Self> {
        let path = beside(file, ".manifest.json");
        let text = fs::read(&path).with_context(|| format!("cannot read the manifest {}", path.display()))?;
        let manifest: Self =
            serde_json::from_slice(&text).with_context(|| format!("{} is no manifest", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "{} has format {}; this strongroom reads {FORMAT}",
            path.display(),
            manifest.format
        );
        Ok(manifest)
    }

    /// Passes when a copy of the backup is what the manifest says.
    fn require(&self, copy: &Path) -> anyhow::Result<StoreSummary> {
        let found = digest_of(copy)?;
        if found != (self.bytes, self.sha256.clone()) {
            bail!(
                "the backup is not the one of its manifest: {} bytes with SHA-256 {} instead of {} bytes with {}",
                found.0,
                found.1,
                self.bytes,
                self.sha256
            );
        }
        let summary = block_on(async { Ok(backup::inspect(copy).await?) }).context("the backup is no sound store")?;
        ensure!(
            (summary.id.to_string(), &summary.rows) == (self.store_id.clone(), &self.rows),
            "the backup does not hold what its manifest says"
        );
        Ok(summary)
    }
}

/// What a store is of no use without.
fn needs(config: &Config, master_keys: &[i64]) -> Vec<String> {
    let mut needs = vec!["the configuration file and its credentials".to_owned()];
    if let Some(token) = &config.token {
        needs.push(format!("the token {} with its objects, and its PIN", token.selector));
    }
    let versions = || master_keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match &config.local {
        Some(MasterKeySource::Token) if !master_keys.is_empty() => {
            needs.push(format!("the token's sealing key, for LOCAL keys under the master keys {}", versions()));
        }
        Some(MasterKeySource::KeyFile(file)) if !master_keys.is_empty() => {
            needs.push(format!("{}, for LOCAL keys under the master keys {}", file.display(), versions()));
        }
        _ => {}
    }
    needs
}

fn counts(rows: &BTreeMap<String, u64>) -> String {
    let of = |table: &str| rows.get(table).copied().unwrap_or_default();
    format!("{} key pairs, {} rings, {} audit events", of("key_pairs"), of("rings"), of("audit_events"))
}

/// The file of a SQLite store.
fn file_of(config: &Config) -> anyhow::Result<&Path> {
    match &config.store {
        StoreConfig::Sqlite(file) => Ok(file),
        StoreConfig::Postgres(_) => bail!(
            "the store is in PostgreSQL: back it up and restore it by pg_dump and pg_restore, or by a base backup with \
             its write-ahead log"
        ),
    }
}

/// A path with a suffix to its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The length and the SHA-256 of a file.
fn digest_of(path: &Path) -> anyhow::Result<(u64, String)> {
    let read = || -> io::Result<_> {
        let (mut file, mut context) = (File::open(path)?, digest::Context::new(&digest::SHA256));
        let (mut bytes, mut buffer) = (0, vec![0; 64 << 10]);
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                return Ok((bytes, context.finish()));
            }
            bytes += length as u64;
            context.update(buffer.get(..length).unwrap_or_default());
        }
    };
    let (bytes, digest) = read().with_context(|| format!("cannot read {}", path.display()))?;
    let hex = digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok((bytes, hex))
}

/// Writes a file that was not there (mode 0600).
fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn copy_new(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copy = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.sync_all()
    };
    copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Gives a store a second name that says when, and moves the files beside it there; returns that name. The store keeps
/// its own name until another takes it, so that a start in between never finds none.
fn put_aside(store: &Path) -> anyhow::Result<PathBuf> {
    let kept = beside(store, &format!(".replaced-{}", SystemClock.now()));
    // A store that is damaged keeps its log.
    let _ = block_on(async { Ok(backup::settle(store).await?) });
    fs::hard_link(store, &kept).with_context(|| format!("cannot keep {}", store.display()))?;
    for suffix in BESIDE {
        let (from, to) = (beside(store, suffix), beside(&kept, suffix));
        if from.exists() {
            fs::rename(&from, &to).with_context(|| format!("cannot rename {}", from.display()))?;
        }
    }
    Ok(kept)
}

/// Renames a file in its directory, and has the directory written.
fn rename_synced(from: &Path, to: &Path) -> anyhow::Result<()> {
    let rename = || -> io::Result<()> {
        fs::rename(from, to)?;
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    };
    rename().with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => {
            Err(failure).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

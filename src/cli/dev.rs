//! `daemon dev`: a daemon with a SoftHSM token of its own, nothing to configure.
//!
//! Everything lies under one directory and is used again at the next start; files that
//! are not ours, or that others can read, are refused rather than mended.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::block_on;
use crate::auth::{Credential, Scope, SecretHash, new_secret};
use crate::config::{
    Auth0, Config, KeysConfig, LimitsConfig, Listener, MasterKeySource, PingFederate, Plaintext, RotationConfig,
    SanFormat, StockConfig, StoreConfig, Zitadel,
};
use crate::daemon::{self, Announce, InstanceLock};
use strongroom_domain::key::{KeyAlgorithm, ProviderKind};
use strongroom_domain::secret::Secret;
use strongroom_token::{HostOptions, PinSource, Profile, TokenAccess, TokenSelector};

/// Where distributions put the module of SoftHSM; Debian's multiarch folders come on top.
const MODULES: [&str; 7] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/home/linuxbrew/.linuxbrew/lib/softhsm/libsofthsm2.so",
];

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where token, store and credentials are kept [default: strongroom in the user's data directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where HTTP is served; a loopback address, port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9980")]
    listen: SocketAddr,
    /// The label of the token
    #[arg(long, value_name = "LABEL", default_value = "strongroom")]
    token_label: String,
    /// Make no RSA keys ahead of need
    #[arg(long)]
    no_stock: bool,
    /// The credential to use in place of DIR/admin-token
    #[arg(skip = std::env::var("STRONGROOM_ADMIN_TOKEN").ok())]
    admin_token: Option<String>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    ensure!(
        arguments.listen.ip().is_loopback(),
        "{} is not a loopback address; `strongroom dev` serves this machine only",
        arguments.listen.ip()
    );
    let layout = Layout::open(&arguments.data.map_or_else(default_data, Ok)?)?;
    let lock = InstanceLock::acquire(&layout.path("state"))?;
    layout.prepare(&arguments.token_label)?;
    let secret = layout.admin_secret(arguments.admin_token)?;
    let admin = Credential { name: "admin".to_owned(), hash: SecretHash::of(&secret)?, scopes: Scope::ALL.to_vec() };
    let stock = if arguments.no_stock { StockConfig::default() } else { rsa_stock() };
    let config = layout.config(vec![admin], arguments.listen, arguments.token_label.clone(), stock)?;
    block_on(async {
        layout.initialise_token(&config, arguments.token_label).await?;
        daemon::run(config, Announce::WhenReady, lock).await
    })
}

/// The configuration of a development directory, as an earlier `dev` left it.
pub(super) fn existing(data: &Path) -> anyhow::Result<Config> {
    let layout = Layout { root: fs::canonicalize(data).with_context(|| format!("cannot open {}", data.display()))? };
    ensure!(layout.path("pin").exists(), "{} was not made by `strongroom dev`", data.display());
    let label = fs::read_to_string(layout.path("token-label")).context("cannot read the token's label")?;
    layout.config(Vec::new(), Listener::default().address, label, StockConfig::default())
}

fn default_data() -> anyhow::Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    from("XDG_DATA_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("strongroom"))
        .context("no data directory is known; give one with --data DIR")
}

/// The directory of one development set-up.
struct Layout {
    root: PathBuf,
}

impl Layout {
    fn open(data: &Path) -> anyhow::Result<Self> {
        private_directory(data)?;
        let root = fs::canonicalize(data).with_context(|| format!("cannot open {}", data.display()))?;
        Ok(Self { root })
    }

    /// Makes what is not there yet; the directory's lock is held.
    fn prepare(&self, token_label: &str) -> anyhow::Result<()> {
        let tokens = self.path("tokens");
        private_directory(&tokens)?;
        let tokens = tokens.to_str().filter(|path| !path.contains('\n'));
        let tokens = tokens.context("SoftHSM cannot be told of this directory: its path is not plain text")?;
        let conf = format!(
            "directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
        );
        self.keep("softhsm2.conf", &conf)?;
        self.keep("token-label", token_label)?;
        for pin in ["pin", "so-pin"] {
            let path = self.path(pin);
            if path.symlink_metadata().is_ok() {
                read_private(&path)?;
            } else {
                write_private(&path, new_secret()?.expose())?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file that always says the same here; one that says something else is not ours
    /// to change.
    fn keep(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        if path.symlink_metadata().is_err() {
            return write_private(&path, text.as_bytes());
        }
        let present = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            present == text,
            "{} says {:?}, and this start needs {:?}; give another --data directory, or the options of the first start",
            path.display(),
            present.trim_end(),
            text.trim_end()
        );
        Ok(())
    }

    /// The secret of the administrator: given, found, or made now.
    fn admin_secret(&self, given: Option<String>) -> anyhow::Result<Secret> {
        let path = self.path("admin-token");
        let secret = if let Some(given) = given {
            let secret = Secret::new(given.into_bytes());
            SecretHash::of(&secret).context("STRONGROOM_ADMIN_TOKEN cannot be used")?;
            secret
        } else if path.symlink_metadata().is_ok() {
            let secret = read_private(&path)?;
            SecretHash::of(&secret).with_context(|| format!("{} cannot be used; remove it", path.display()))?;
            secret
        } else {
            let secret = new_secret()?;
            write_private(&path, secret.expose())?;
            secret
        };
        Ok(secret)
    }

    fn config(
        &self,
        credentials: Vec<Credential>,
        listen: SocketAddr,
        label: String,
        stock: StockConfig,
    ) -> anyhow::Result<Config> {
        let environment = BTreeMap::from([(
            "SOFTHSM2_CONF".to_owned(),
            self.path("softhsm2.conf").to_str().context("the data directory's path is not plain text")?.to_owned(),
        )]);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Config {
            state_dir: self.path("state"),
            instance: "dev".to_owned(),
            listener: Listener { address: listen, plaintext: Plaintext::Loopback },
            token: Some(TokenAccess {
                module: module()?,
                selector: TokenSelector::Label(label),
                pin: PinSource::File(self.path("pin")),
                profile: Profile::Softhsm,
                environment,
            }),
            local: Some(MasterKeySource::Token),
            // SoftHSM's threads contend, its processes do not.
            hosts: HostOptions { signing_hosts: cores.min(4), workers: 1, ..HostOptions::default() },
            store: self.store()?,
            credentials,
            limits: LimitsConfig::default(),
            // A set-up to throw away keeps no deleted keys.
            keys: KeysConfig::NO_WINDOW,
            stock,
            pingfederate: PingFederate {
                hybrid: true,
                default_provider: ProviderKind::Hsm,
                san_format: SanFormat::Bare,
                require_trusted_issuer: false,
            },
            // A machine of a developer may sleep for longer than that of an operator.
            rotation: RotationConfig {
                clock_guard: Duration::from_secs(10 * 365 * 86_400),
                ..RotationConfig::default()
            },
            auth0: Auth0::with_provider(ProviderKind::Hsm),
            zitadel: Zitadel::with_provider(ProviderKind::Hsm),
        })
    }

    /// The SQLite file of the directory, or what `store.toml` there names with the keys of `[store]`.
    fn store(&self) -> anyhow::Result<StoreConfig> {
        let path = self.path("store.toml");
        match fs::read_to_string(&path) {
            Ok(text) => StoreConfig::parse(&text).with_context(|| path.display().to_string()),
            Err(failure) if failure.kind() == ErrorKind::NotFound => {
                Ok(StoreConfig::Sqlite(self.path("strongroom.db")))
            }
            Err(failure) => Err(failure).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    async fn initialise_token(&self, config: &Config, label: String) -> anyhow::Result<()> {
        let TokenAccess { module, environment, .. } = config.token.as_ref().context("there is no token to prepare")?;
        let (so_pin, pin) = (self.path("so-pin"), self.path("pin"));
        strongroom_token::initialise_token(&daemon::host_command()?, module, environment, &label, &so_pin, &pin)
            .await
            .context("the SoftHSM token could not be prepared")?;
        Ok(())
    }
}

/// A few keys of those that take long to make.
fn rsa_stock() -> StockConfig {
    let targets =
        BTreeMap::from([(KeyAlgorithm::RSA_2048, 4), (KeyAlgorithm::RSA_3072, 1), (KeyAlgorithm::RSA_4096, 1)]);
    StockConfig { targets, ..StockConfig::default() }
}

fn module() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("STRONGROOM_SOFTHSM_MODULE").map(PathBuf::from) {
        ensure!(path.is_absolute() && path.exists(), "STRONGROOM_SOFTHSM_MODULE names no module: {}", path.display());
        return Ok(path);
    }
    let multiarch = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let multiarch = multiarch.map(|folder| folder.join("softhsm/libsofthsm2.so"));
    MODULES.iter().map(PathBuf::from).chain(multiarch).find(|path| path.exists()).context(
        "SoftHSM is not installed; run softhsm/setup, or install softhsm2 (Debian, Ubuntu), softhsm (Fedora, Homebrew)",
    )
}

fn private_directory(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the directory {}", path.display()))
}

fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn read_private(path: &Path) -> anyhow::Result<Secret> {
    let facts = path.symlink_metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if !facts.is_file() || facts.uid() != rustix::process::geteuid().as_raw() || facts.mode() & 0o077 != 0 {
        bail!("{} is not a private file of this user; remove it, or make it one with chmod 600", path.display());
    }
    let mut bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(Secret::new(bytes))
}

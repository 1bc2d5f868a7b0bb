//! Configuration files for `serve`, `check` and `reconcile`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::daemon::Launch;
use super::faults::Faults;
use super::lane::{on_local_keys, on_postgres};
use super::postgres;
use super::token::Token;

/// The secret of the credential `admin`, which may do everything.
pub const ADMIN: &str = "admin-secret-of-a-test-0123456789abcdef";

/// The secret of the credential `auditor`, which may only read.
pub const AUDITOR: &str = "auditor-secret-of-a-test-0123456789abcd";

/// A daemon's configuration: a token and a store under one directory.
pub struct Configuration {
    dir: PathBuf,
    module: PathBuf,
    selector: String,
    environment: Vec<(String, String)>,
    has_token: bool,
    /// What tells its daemon from others on the same store.
    instance: Option<String>,
    /// The keys of `[store]`; otherwise those of the lane.
    store: Option<String>,
    sections: String,
}

impl Configuration {
    /// For tests that do not care where keys are: a fresh token, or LOCAL keys alone.
    #[track_caller]
    pub fn usual(dir: &Path) -> Self {
        if on_local_keys() { Self::local(dir) } else { Self::new(dir, &Token::fresh(dir)) }
    }

    /// The same with LOCAL keys beside those of a token.
    #[track_caller]
    pub fn hybrid(dir: &Path) -> Self {
        let usual = Self::usual(dir);
        if on_local_keys() { usual } else { usual.with("[local]\nmaster-key = \"token\"\n") }
    }

    /// LOCAL keys alone, their master keys sealed by a key file.
    pub fn local(dir: &Path) -> Self {
        let file = dir.join("master.key");
        if !file.exists() {
            let made = Launch::command(["local".as_ref(), "new-key-file".as_ref(), file.as_os_str()]).run();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let configuration = Self {
            dir: dir.to_owned(),
            module: PathBuf::new(),
            selector: String::new(),
            environment: Vec::new(),
            has_token: false,
            instance: None,
            store: None,
            sections: String::new(),
        };
        configuration.with(&format!("[local]\nkey-file = \"{}\"\n", file.display()))
    }

    /// For a token whose PIN is the right one.
    pub fn new(dir: &Path, token: &Token) -> Self {
        let configuration = Self {
            dir: dir.to_owned(),
            module: token.module.to_owned(),
            selector: format!("label = \"{}\"", token.label),
            environment: vec![("SOFTHSM2_CONF".to_owned(), token.conf.display().to_string())],
            has_token: true,
            instance: None,
            store: None,
            sections: String::new(),
        };
        configuration.set_pin(&token.pin);
        configuration
    }

    /// The same with the fault module before SoftHSM.
    pub fn with_faults(mut self, faults: &Faults) -> Self {
        self.module = Faults::module();
        self.environment.extend(faults.environment());
        self
    }

    /// The same token, told from others in another way.
    pub fn selected_by(mut self, selector: &str) -> Self {
        selector.clone_into(&mut self.selector);
        self
    }

    /// The same with more TOML at its end: `[hosts]`, `[limits]`, `[pingfederate]`.
    pub fn with(mut self, sections: &str) -> Self {
        self.sections.push_str(sections);
        self.sections.push('\n');
        self
    }

    /// The same without a window between a deletion and the destruction in the token.
    pub fn destroying_at_once(self) -> Self {
        self.with("[keys]\ndestruction-window = \"0s\"\n")
    }

    /// The same store and token for another daemon.
    pub fn named(mut self, instance: &str) -> Self {
        self.instance = Some(instance.to_owned());
        self
    }

    /// Writes the PIN file that hosts read.
    pub fn set_pin(&self, pin: &str) {
        let file = self.dir.join("pin-file");
        fs::write(&file, format!("{pin}\n")).expect("the PIN file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a private PIN file");
    }

    /// Writes the file and says where it is.
    pub fn write(&self) -> PathBuf {
        let name = self.instance.as_deref().unwrap_or("strongroom");
        let file = self.dir.join(format!("{name}.toml"));
        fs::write(&file, self.text()).expect("the configuration file");
        file
    }

    /// The same with other keys of `[store]`.
    pub fn stored(mut self, lines: &str) -> Self {
        self.store = Some(lines.to_owned());
        self
    }

    /// The keys of `[store]`.
    fn store_lines(&self) -> String {
        match &self.store {
            Some(lines) => lines.clone(),
            None if on_postgres() => postgres::store_lines(&self.dir),
            None => format!("path = \"{}/serve.db\"\n", self.dir.display()),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.dir.join("serve.db")
    }

    fn text(&self) -> String {
        let dir = self.dir.display();
        let mut environment = String::new();
        for (name, value) in &self.environment {
            let _ = write!(environment, "{name} = \"{value}\", ");
        }
        let environment = environment.trim_end_matches(", ");
        let token = format!(
            "[token]\nmodule = \"{module}\"\n{selector}\npin-file = \"{dir}/pin-file\"\nprofile = \"softhsm\"\n\
             environment = {{ {environment} }}\n\n",
            module = self.module.display(),
            selector = self.selector,
        );
        format!(
            "version = 1\ninstance = \"{instance}\"\nstate-dir = \"{dir}/state-{instance}\"\n\n[listener]\naddress = \"127.0.0.1:0\"\n\n{token}\
             [store]\n{store}\n\
             [[credentials]]\nname = \"admin\"\nhash = \"{admin}\"\n\
             scopes = [\"read\", \"manage\", \"sign\", \"verify\", \"decrypt\", \"operate\"]\n\n\
             [[credentials]]\nname = \"auditor\"\nhash = \"{auditor}\"\nscopes = [\"read\"]\n\n{sections}",
            token = if self.has_token { token.as_str() } else { "" },
            store = self.store_lines(),
            instance = self.instance.as_deref().unwrap_or("default"),
            admin = hash(ADMIN),
            auditor = hash(AUDITOR),
            sections = self.sections,
        )
    }
}

fn hash(secret: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! Faults in the way to the token.

use std::fs;
use std::path::{Path, PathBuf};

use super::programs::{built_beside_daemon, softhsm_module};

/// The rules and the call log of the fault module (`tests/faults`).
pub struct Faults {
    rules: PathBuf,
    log: PathBuf,
}

impl Faults {
    /// No faults yet; files are kept under `dir`.
    pub fn new(dir: &Path) -> Self {
        let faults = Self { rules: dir.join("fault-rules"), log: dir.join("fault-log") };
        faults.clear();
        faults
    }

    /// Replaces all rules, in daemons that run too; `tests/faults/src/rules.rs` says how they read.
    pub fn set(&self, rules: &str) {
        // Renamed into place: a host never reads half of the rules.
        let fresh = self.rules.with_extension("new");
        fs::write(&fresh, format!("{rules}\n")).expect("the rule file");
        fs::rename(fresh, &self.rules).expect("the rule file");
    }

    /// Ends all faults, hanging calls included.
    pub fn clear(&self) {
        self.set("# none");
    }

    /// How often any host called `function` so far.
    pub fn calls(&self, function: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.split(' ').nth(1) == Some(function)).count()
    }

    pub fn module() -> PathBuf {
        built_beside_daemon(&format!(
            "{}strongroom_faults{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        ))
    }

    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        vec![
            ("STRONGROOM_FAULTS_MODULE".to_owned(), text(softhsm_module())),
            ("STRONGROOM_FAULTS_RULES".to_owned(), text(&self.rules)),
            ("STRONGROOM_FAULTS_LOG".to_owned(), text(&self.log)),
        ]
    }
}

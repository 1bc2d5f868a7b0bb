//! Rules: which call fails, and how.
//!
//! One rule a line, the first that matches a call wins, `#` begins a comment:
//!
//! ```text
//! FUNCTION|* [mechanism=HEX] [skip=K] [n=COUNT] [once=FILE] [delay=MS] [hang] [exit=CODE] [rv=HEX] [after=HEX] [error=HEX] [corrupt]
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | `mechanism=HEX` | only `C_SignInit` with this mechanism |
//! | `skip=K` | let the first K matching calls of this process pass |
//! | `n=COUNT` | then fire this many times in this process |
//! | `once=FILE` | fire in the one process, and the one call, that creates FILE |
//! | `delay=MS` | wait first |
//! | `hang` | wait until the rule file changes |
//! | `exit=CODE` | end the process |
//! | `rv=HEX` | answer this without asking the token |
//! | `after=HEX` | ask the token, then answer this: a lost reply |
//! | `error=HEX` | ask the token, and answer this where it answers an error |
//! | `corrupt` | flip one bit of the signature that `C_Sign` gave |
//!
//! Counts begin anew whenever the file changes.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use cryptoki_sys::{CK_MECHANISM_TYPE, CK_RV};

/// What happens to one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fault {
    pub(crate) delay: Option<Duration>,
    pub(crate) hang: bool,
    pub(crate) exit: Option<i32>,
    pub(crate) instead: Option<CK_RV>,
    pub(crate) after: Option<CK_RV>,
    pub(crate) error: Option<CK_RV>,
    pub(crate) corrupt: bool,
}

/// The fault that is due for a call of `function`, and the edition of the rules that said so.
pub(crate) fn due(function: &str, mechanism: Option<CK_MECHANISM_TYPE>) -> Option<(Fault, Edition)> {
    let mut rules = rules().lock().unwrap_or_else(PoisonError::into_inner);
    rules.refresh();
    let edition = rules.edition;
    rules.list.iter_mut().find_map(|rule| rule.fires(function, mechanism)).map(|fault| (fault, edition))
}

/// Whether the rules are still those of `edition`.
pub(crate) fn unchanged(edition: Edition) -> bool {
    let mut rules = rules().lock().unwrap_or_else(PoisonError::into_inner);
    rules.refresh();
    rules.edition == edition
}

/// What a change of the rule file is told by: time and length.
pub(crate) type Edition = Option<(SystemTime, u64)>;

struct Rules {
    path: Option<PathBuf>,
    edition: Edition,
    list: Vec<Rule>,
}

fn rules() -> &'static Mutex<Rules> {
    static RULES: OnceLock<Mutex<Rules>> = OnceLock::new();
    RULES.get_or_init(|| {
        let path = std::env::var_os("STRONGROOM_FAULTS_RULES").map(PathBuf::from);
        Mutex::new(Rules { path, edition: None, list: Vec::new() })
    })
}

impl Rules {
    fn refresh(&mut self) {
        let Some(path) = &self.path else { return };
        let edition = fs::metadata(path).ok().and_then(|meta| Some((meta.modified().ok()?, meta.len())));
        if edition != self.edition {
            self.edition = edition;
            self.list = fs::read_to_string(path).unwrap_or_default().lines().filter_map(Rule::parse).collect();
        }
    }
}

#[derive(Debug, Default)]
struct Rule {
    function: String,
    mechanism: Option<CK_MECHANISM_TYPE>,
    skip: u64,
    count: Option<u64>,
    once: Option<PathBuf>,
    fault: Fault,
    seen: u64,
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split('#').next()?.split_whitespace();
        let mut rule = Self { function: words.next()?.to_owned(), ..Self::default() };
        for word in words {
            if rule.word(word).is_none() {
                eprintln!("fault module: `{word}` is not understood in the rule `{line}`");
                std::process::abort();
            }
        }
        Some(rule)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let hex = |text: &str| CK_RV::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        match word.split_once('=') {
            Some(("mechanism", value)) => self.mechanism = Some(hex(value)?),
            Some(("skip", value)) => self.skip = value.parse().ok()?,
            Some(("n", value)) => self.count = Some(value.parse().ok()?),
            Some(("once", value)) => self.once = Some(PathBuf::from(value)),
            Some(("delay", value)) => self.fault.delay = Some(Duration::from_millis(value.parse().ok()?)),
            Some(("exit", value)) => self.fault.exit = Some(value.parse().ok()?),
            Some(("rv", value)) => self.fault.instead = Some(hex(value)?),
            Some(("after", value)) => self.fault.after = Some(hex(value)?),
            Some(("error", value)) => self.fault.error = Some(hex(value)?),
            None if word == "hang" => self.fault.hang = true,
            None if word == "corrupt" => self.fault.corrupt = true,
            _ => return None,
        }
        Some(())
    }

    fn fires(&mut self, function: &str, mechanism: Option<CK_MECHANISM_TYPE>) -> Option<Fault> {
        let other = self.mechanism.is_some() && self.mechanism != mechanism;
        if other || self.function != "*" && self.function != function {
            return None;
        }
        self.seen += 1;
        let turn = self.seen > self.skip && self.count.is_none_or(|count| self.seen <= self.skip + count);
        let first = |path: &PathBuf| OpenOptions::new().write(true).create_new(true).open(path).is_ok();
        (turn && self.once.as_ref().is_none_or(first)).then_some(self.fault)
    }
}

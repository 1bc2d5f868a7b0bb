//! The golden files of one dialect as a whole: their names, and what they show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The golden files of a dialect by name: the exchanges of each.
pub struct GoldenFiles(BTreeMap<String, Vec<Value>>);

impl GoldenFiles {
    /// Reads `tests/golden/{dialect}`.
    pub fn of(dialect: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(dialect);
        let read = |file: PathBuf| {
            let text = fs::read_to_string(&file).unwrap();
            let exchanges = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            (file.file_stem().unwrap().to_string_lossy().into_owned(), exchanges)
        };
        Self(fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect())
    }

    /// The names of the files.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// The exchanges of every file, each with the file's name.
    pub fn exchanges(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().flat_map(|(name, exchanges)| exchanges.iter().map(move |exchange| (name.as_str(), exchange)))
    }

    /// The statuses with which an operation is answered somewhere, by its method and the template of its path.
    pub fn statuses(&self, method: &str, template: &str) -> BTreeSet<u64> {
        let asks = |exchange: &Value| {
            let request = &exchange["request"];
            let path = request["path"].as_str().unwrap();
            request["method"].as_str().unwrap().eq_ignore_ascii_case(method) && fits(template, path)
        };
        let exchanges = self.exchanges().filter(|(_, exchange)| asks(exchange));
        exchanges.flat_map(|(_, exchange)| responses(exchange)).filter_map(|it| it["status"].as_u64()).collect()
    }

    /// Fails unless the table of a page under `docs` names these files in its last column, and no others.
    pub fn assert_named_in(&self, page: &str) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page)).unwrap();
        let shown_by = |line: &str| line.strip_suffix('|')?.rsplit_once('|').map(|(_, cell)| cell.to_owned());
        let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
        let cells: Vec<String> = rows.filter_map(shown_by).collect();
        let words = cells.iter().flat_map(|cell| cell.split([',', ';'])).map(str::trim);
        let named: BTreeSet<String> =
            words.filter(|name| !name.is_empty() && !name.starts_with('`')).map(str::to_owned).collect();
        assert_eq!(named, self.names());
    }
}

/// The responses of an exchange.
pub fn responses(exchange: &Value) -> impl Iterator<Item = &Value> {
    exchange["responses"].as_array().into_iter().flatten().chain(exchange.get("response"))
}

/// Whether a path, without its query, is one of a template.
fn fits(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(t, p)| t.starts_with('{') || *t == p)
}

#[test]
fn paths_fit_their_templates_whatever_their_query() {
    assert!(fits("/v1/keys/{kid}", "/v1/keys/a") && fits("/v1/keys", "/v1/keys?limit=1"));
    for other in ["/v1/keys", "/v1/keys/a/sign", "/v2/keys/a"] {
        assert!(!fits("/v1/keys/{kid}", other), "{other}");
    }
}

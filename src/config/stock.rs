//! Section `[stock]`: key pairs that are generated ahead of need.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::duration;
use strongroom_domain::key::KeyAlgorithm;

/// The most keys of one algorithm that may be kept in stock.
const MOST: usize = 10_000;

/// What is kept in stock in the token, and when it is filled up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockConfig {
    /// How many keys of each algorithm; of others there is no stock.
    pub targets: BTreeMap<KeyAlgorithm, usize>,
    /// A key that was in stock for so long is destroyed.
    pub max_age: Duration,
    /// How long the token must have had no request before a key is made.
    pub idle: Duration,
    /// The stock is not filled up while the store has so many keys in the token.
    pub most_keys: Option<i64>,
}

impl Default for StockConfig {
    fn default() -> Self {
        Self {
            targets: BTreeMap::new(),
            max_age: Duration::from_secs(30 * 24 * 3600),
            idle: Duration::from_secs(5),
            most_keys: None,
        }
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Section {
    targets: BTreeMap<String, usize>,
    #[serde(deserialize_with = "duration::parse")]
    max_age: Duration,
    #[serde(deserialize_with = "duration::parse")]
    idle: Duration,
    /// How many keys the partition has room for.
    partition_keys: Option<u32>,
    /// In percent of them.
    partition_share: u32,
}

impl Default for Section {
    fn default() -> Self {
        let StockConfig { max_age, idle, .. } = StockConfig::default();
        Self { targets: BTreeMap::new(), max_age, idle, partition_keys: None, partition_share: 80 }
    }
}

impl Section {
    pub(super) fn validate(self, has_token: bool, findings: &mut Vec<String>) -> StockConfig {
        if !self.targets.is_empty() && !has_token {
            findings.push("stock.targets: there is no [token] to keep a stock in".to_owned());
        }
        let mut targets = BTreeMap::new();
        for (name, target) in self.targets {
            let Some(algorithm) = KeyAlgorithm::from_name(&name) else {
                let known = KeyAlgorithm::all().map(KeyAlgorithm::name).collect::<Vec<_>>().join(", ");
                findings.push(format!("stock.targets: `{name}` is no key algorithm; there are {known}"));
                continue;
            };
            if !(1..=MOST).contains(&target) {
                findings.push(format!("stock.targets.{name}: between 1 and {MOST}"));
            }
            targets.insert(algorithm, target);
        }
        if self.max_age.is_zero() {
            findings.push("stock.max-age: longer than nothing".to_owned());
        }
        if !(1..=100).contains(&self.partition_share) {
            findings.push("stock.partition-share: a percentage, between 1 and 100".to_owned());
        }
        if self.partition_keys == Some(0) {
            findings.push("stock.partition-keys: at least 1".to_owned());
        }
        let most_keys = self.partition_keys.map(|keys| i64::from(keys) * i64::from(self.partition_share) / 100);
        StockConfig { targets, max_age: self.max_age, idle: self.idle, most_keys }
    }
}

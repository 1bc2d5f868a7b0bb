//! Reconcile: compares token with store; finishes, undoes or reports.
//!
//! Reservations are taken only when their lease is over or their owner is a former life
//! of this instance. Objects with another store's label, or none of ours, are foreign.
//! Objects of ours that no row knows are reported and never touched; half-made objects
//! without identity are removed only where the provider's profile calls it safe.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::auth::{Caller, Task};
use crate::provider::{TokenObject, TokenProvider};
use crate::services::lifecycle::{Keyring, not_of_a_row};
use crate::store::TokenPresence;
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyId, KeyOrigin, KeyPair, KeyState, Locator, RingId};

/// A key is missing once it was seen missing twice, this far apart.
const MISSING_AFTER: Duration = Duration::from_secs(60);
/// Rows read from the store at a time.
const PAGE: u32 = 500;

/// Whether reconcile only reports or also repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileMode {
    /// Report findings, change nothing.
    ReportOnly,
    /// Mend what the plan allows; half-made objects too if `incomplete`.
    Repair { broken: bool },
}

/// One difference between token and store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A reservation or a destruction that no daemon is finishing.
    Unfinished { key: KeyId, ring: Option<RingId>, state: KeyState, why: Option<String>, mended: bool },
    /// Objects of a key that the store has destroyed.
    Leftover { key: KeyId, mended: bool },
    /// Objects with our label that the store does not know.
    Orphan { label: String, locator: Option<Locator> },
    /// A key of the store that the token does not have.
    Missing { key: KeyId, ring: Option<RingId>, established: bool },
    /// Half-made objects without identity.
    Broken { objects: usize, mended: bool },
}

impl Finding {
    /// Whether it was mended in this pass.
    #[must_use]
    pub const fn is_mended(&self) -> bool {
        match self {
            Self::Unfinished { mended, .. } | Self::Leftover { mended, .. } | Self::Broken { mended, .. } => *mended,
            Self::Orphan { .. } | Self::Missing { .. } => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |ring: &Option<RingId>| ring.as_ref().map(|ring| format!(" of {ring}")).unwrap_or_default();
        match self {
            Self::Unfinished { key, ring, state, why, .. } => {
                write!(f, "unfinished: key {key}{} is {state}", of(ring))?;
                why.as_ref().map_or(Ok(()), |why| write!(f, " and cannot be finished: {why}"))?;
            }
            Self::Leftover { key, .. } => write!(f, "leftover: the token still has destroyed key {key}")?,
            Self::Orphan { label, .. } => write!(f, "orphan: the store does not know the token's object {label}")?,
            Self::Missing { key, ring, established } => {
                let sure = if *established { "" } else { " (to be confirmed)" };
                write!(f, "missing: the token does not have key {key}{}{sure}", of(ring))?;
            }
            Self::Broken { objects, .. } => write!(f, "broken: {objects} half-made objects in the token")?,
        }
        if self.is_mended() { f.write_str("; mended") } else { Ok(()) }
    }
}

/// What a pass found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    pub findings: Vec<Finding>,
    /// Objects of this store that were looked at.
    pub objects: usize,
    /// Rows that were compared with them.
    pub rows: usize,
}

/// The service that compares token with store.
pub struct Reconciler {
    pub(super) keyring: Arc<Keyring>,
}

impl Reconciler {
    /// The reconciler of a keyring's keys.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }

    /// Finishes interrupted reservations and destructions, then compares the token's inventory with the
    /// store.
    ///
    /// # Errors
    /// `ProviderUnavailable` when a provider or the store cannot be asked now.
    pub async fn reconcile(&self, mode: ReconcileMode) -> Result<ReconcileReport, Error> {
        let mut report =
            ReconcileReport { findings: self.finish_unfinished(mode).await?, ..ReconcileReport::default() };
        // Software keys travel in their rows: there is nothing to compare these with.
        if let Some(token) = self.keyring.providers.token() {
            self.compare(token.as_ref(), mode, &mut report).await?;
        }
        Ok(report)
    }

    /// Finishes interrupted reservations and destructions.
    pub(super) async fn finish_unfinished(&self, mode: ReconcileMode) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for pair in self.keyring.store.unfinished(&self.keyring.owner, self.keyring.clock.now()).await? {
            let (key, ring, state) = (pair.id, pair.ring.clone(), pair.state);
            let why = match mode {
                ReconcileMode::ReportOnly => None,
                // A key that cannot be undone must not block the others.
                ReconcileMode::Repair { .. } => self.undo(pair).await.err().map(|failure| failure.to_string()),
            };
            if let Some(why) = &why {
                self.keyring.warn_once(&format!("key {key} is {state} and cannot be finished: {why}"));
            }
            let mended = mode != ReconcileMode::ReportOnly && why.is_none();
            findings.push(Finding::Unfinished { key, ring, state, why, mended });
        }
        Ok(findings)
    }

    async fn undo(&self, pair: KeyPair) -> Result<(), Error> {
        if pair.state != KeyState::Reserved {
            return self.keyring.finish_destruction(&pair).await;
        }
        let why = "its lease ended or its owner is gone".to_owned();
        let event = self.keyring.event(&Caller::daemon(Task::Reconcile), Action::Abandoned, &pair, why);
        self.keyring.finish_destruction(&self.keyring.transition_to(&pair, KeyState::Abandoning, event).await?).await
    }

    async fn compare(
        &self,
        provider: &dyn TokenProvider,
        mode: ReconcileMode,
        report: &mut ReconcileReport,
    ) -> Result<(), Error> {
        // Rows first: a key whose row was visible before the inventory must be in it.
        let expected = self.expected_of(provider).await?;
        let held = provider.inventory().await?;
        let ours: HashMap<KeyId, Vec<&TokenObject>> = held.iter().fold(HashMap::new(), |mut ours, held| {
            if let Some(key) = self.keyring.store.id().key_of_label(&held.label) {
                ours.entry(key).or_insert_with(Vec::new).push(held);
            }
            ours
        });
        report.rows += expected.len();
        report.objects += ours.values().map(Vec::len).sum::<usize>();
        for (key, objects) in &ours {
            if !expected.contains_key(key) {
                self.classify(*key, objects, provider, mode, report).await?;
            }
        }
        for (key, locator) in &expected {
            let there = ours.get(key).is_some_and(|objects| {
                objects.iter().any(|held| held.has_private && held.locator.as_ref() == Some(locator))
            });
            self.note_presence(*key, there, mode, report).await?;
        }
        let broken = held.iter().filter(|held| held.incomplete).count();
        if broken > 0 {
            let mended = self.remove_broken(provider, broken, mode).await?;
            report.findings.push(Finding::Broken { objects: broken, mended });
        }
        Ok(())
    }

    /// The visible keys of a provider, by row, linked ones left out: their labels are not ours.
    async fn expected_of(&self, provider: &dyn TokenProvider) -> Result<HashMap<KeyId, Locator>, Error> {
        let mut expected = HashMap::new();
        let mut after = None;
        loop {
            let page = self.keyring.store.page(after, self.keyring.clock.now(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(expected) };
            after = Some(last.id);
            let wanted = page.iter().filter(|pair| {
                (pair.state.is_visible() || pair.state == KeyState::Stocked)
                    && pair.provider == provider.kind()
                    && pair.origin != KeyOrigin::Linked
            });
            expected.extend(wanted.map(|pair| (pair.id, pair.locator.clone())));
        }
    }

    /// Decides on objects of ours whose row was not visible before the inventory.
    async fn classify(
        &self,
        key: KeyId,
        objects: &[&TokenObject],
        provider: &dyn TokenProvider,
        mode: ReconcileMode,
        report: &mut ReconcileReport,
    ) -> Result<(), Error> {
        match self.keyring.store.pair(key).await? {
            None => {
                for held in objects {
                    let finding = Finding::Orphan { label: held.label.clone(), locator: held.locator.clone() };
                    self.report_once(mode, Action::Orphaned, Some(key), &finding).await?;
                    report.findings.push(finding);
                }
            }
            // A key that came after its row was destroyed, or that outlived it.
            Some(pair) if pair.state == KeyState::Destroyed && pair.origin != KeyOrigin::Linked => {
                let mended = mode != ReconcileMode::ReportOnly && self.remove_leftover(&pair, provider).await?;
                report.findings.push(Finding::Leftover { key, mended });
            }
            // Under way, or committed meanwhile.
            Some(_) => {}
        }
        Ok(())
    }

    async fn remove_leftover(&self, pair: &KeyPair, provider: &dyn TokenProvider) -> Result<bool, Error> {
        match provider.destroy(&pair.locator, &self.keyring.store.id().label(pair.id)).await {
            Ok(removed) => {
                let detail = format!("{} objects of a destroyed key", removed.objects);
                let event = self.keyring.event(&Caller::daemon(Task::Reconcile), Action::Removed, pair, detail);
                self.keyring.store.record(&[event]).await?;
                Ok(true)
            }
            Err(failure) => {
                self.keyring.warn_once(&format!("destroyed key {} stays in the token: {failure}", pair.id));
                Ok(false)
            }
        }
    }

    async fn note_presence(
        &self,
        key: KeyId,
        there: bool,
        mode: ReconcileMode,
        report: &mut ReconcileReport,
    ) -> Result<(), Error> {
        let Some(pair) = self.keyring.store.pair(key).await? else { return Ok(()) };
        let now = self.keyring.clock.now();
        let who = Caller::daemon(Task::Reconcile);
        if there {
            if pair.missing_since.is_some() && mode != ReconcileMode::ReportOnly {
                let events = if pair.missing {
                    vec![self.keyring.event(&who, Action::Found, &pair, "the token has the key again".to_owned())]
                } else {
                    Vec::new()
                };
                self.keyring.store.set_presence(key, TokenPresence::Found, &events).await?;
            }
            return Ok(());
        }
        if !pair.state.is_visible() && pair.state != KeyState::Stocked {
            return Ok(()); // deleted meanwhile
        }
        let since = pair.missing_since.unwrap_or(now);
        let established = pair.missing || now.since(since) >= MISSING_AFTER;
        if mode != ReconcileMode::ReportOnly && (pair.missing_since.is_none() || established != pair.missing) {
            let events = if established {
                vec![self.keyring.event(&who, Action::Missing, &pair, format!("not in the token since {since}"))]
            } else {
                Vec::new()
            };
            let presence = if established { TokenPresence::Missing { since } } else { TokenPresence::Unseen { since } };
            self.keyring.store.set_presence(key, presence, &events).await?;
        }
        report.findings.push(Finding::Missing { key, ring: pair.ring, established });
        Ok(())
    }

    async fn remove_broken(
        &self,
        provider: &dyn TokenProvider,
        count: usize,
        mode: ReconcileMode,
    ) -> Result<bool, Error> {
        let finding = Finding::Broken { objects: count, mended: false };
        self.report_once(mode, Action::Broken, None, &finding).await?;
        if mode != (ReconcileMode::Repair { broken: true })
            || self.keyring.creations_underway.load(Ordering::SeqCst) > 0
        {
            return Ok(false);
        }
        match provider.remove_broken().await {
            Ok(removed) => {
                let detail = format!("{} half-made objects", removed.objects);
                self.keyring.store.record(&[self.unbound_event(Action::Removed, None, detail)]).await?;
                Ok(usize::try_from(removed.objects).is_ok_and(|removed| removed >= count))
            }
            Err(failure) => {
                tracing::info!(error = %failure, "half-made objects stay");
                Ok(false)
            }
        }
    }

    /// Audits a finding the first time that this process sees it.
    async fn report_once(
        &self,
        mode: ReconcileMode,
        action: Action,
        key: Option<KeyId>,
        finding: &Finding,
    ) -> Result<(), Error> {
        let text = finding.to_string();
        if mode != ReconcileMode::ReportOnly && self.keyring.warn_once(&text) {
            self.keyring.store.record(&[self.unbound_event(action, key, text)]).await?;
        }
        Ok(())
    }

    fn unbound_event(&self, action: Action, key: Option<KeyId>, detail: String) -> Event {
        Event { key, ..not_of_a_row(self.keyring.clock.now(), action, detail) }
    }
}

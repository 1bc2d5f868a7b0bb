//! Import, link, export and new certificates over the double.

use std::time::Instant;

use super::*;
use crate::auth::{Caller, Scope};
use crate::provider::{KeyRef, SignInput};
use crate::services::lifecycle::{ImportKeyPair, KeySelector, LinkKeyPair};
use crate::store::CertificateReplacement;
use strongroom_domain::error::{Error, Field};
use strongroom_domain::key::{CertificateDer, KeyOrigin, KeyPair, Locator};
use strongroom_domain::secret::Secret;

/// A key pair from elsewhere, with its certificate.
struct Foreign {
    pair: KeyPair,
    pkcs8: Secret,
}

impl Foreign {
    async fn new() -> Self {
        let elsewhere = Bench::new().await;
        let pair = elsewhere.keyring.generate(&admin(), wanted("elsewhere")).await.unwrap().pair;
        let pkcs8 = elsewhere.double.export(&KeyRef::of(&pair).unwrap()).await.unwrap();
        Self { pair, pkcs8 }
    }

    fn certificates(&self) -> Vec<CertificateDer> {
        self.pair.certificates.clone()
    }

    fn import(&self, name: &str, provider: ProviderKind) -> ImportKeyPair {
        ImportKeyPair {
            ring: ring(name),
            provider,
            algorithm: self.pair.algorithm,
            signature_algorithm: self.pair.signature_algorithm,
            permitted: self.pair.permitted.clone(),
            pkcs8: Secret::new(self.pkcs8.expose().to_vec()),
            spki: self.pair.spki.clone().unwrap(),
            certificates: self.certificates(),
            deadline: Duration::from_secs(60),
        }
    }

    /// Puts the key into a token under somebody else's label.
    async fn put_into(&self, token: &ProviderDouble, label: &str) -> Locator {
        let locator = Locator::new().unwrap();
        let key = NewKey {
            id: self.pair.id,
            locator: locator.clone(),
            label: label.to_owned(),
            algorithm: KeyAlgorithm::P256,
            key_use: KeyUse::Sign,
            deadline: Instant::now(),
        };
        token.import(key, Secret::new(self.pkcs8.expose().to_vec())).await.unwrap();
        locator
    }

    fn link(&self, name: &str, label: &str) -> LinkKeyPair {
        LinkKeyPair {
            ring: ring(name),
            selector: KeySelector { label: Some(label.to_owned()), ..KeySelector::default() },
            certificates: self.certificates(),
            deadline: Duration::from_secs(60),
        }
    }
}

/// The kind of a refusal, and the inputs that it complains of.
fn complaint<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (ErrorKind, Vec<Field>) {
    let failure = outcome.unwrap_err();
    (failure.kind(), failure.field_violations().iter().map(|violation| violation.field.clone()).collect())
}

fn invalid(field: Field) -> (ErrorKind, Vec<Field>) {
    (ErrorKind::Invalid, vec![field])
}

#[tokio::test]
async fn imported_key_is_active_with_its_certificates() {
    let (bench, foreign) = (Bench::new().await, Foreign::new().await);
    let made = bench.keyring.import(&admin(), foreign.import("a", ProviderKind::Hsm)).await.unwrap();
    assert_eq!((made.pair.state, made.pair.origin), (KeyState::Active, KeyOrigin::Imported));
    assert_eq!((&made.pair.spki, &made.pair.certificates), (&foreign.pair.spki, &foreign.certificates()));
    assert_eq!(bench.double.signed.load(Ordering::SeqCst), 0, "no certificate is issued");
    let (key, message) = (KeyRef::of(&made.pair).unwrap(), SignInput::Message(b"m".to_vec()));
    bench.double.sign(&key, made.pair.signature_algorithm, message).await.unwrap();
    assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
    let again = bench.keyring.import(&admin(), foreign.import("a", ProviderKind::Hsm)).await;
    assert_eq!(complaint(again), invalid(Field::RingId));
    assert_eq!(bench.double.locators().len(), 1);
}

#[tokio::test]
async fn any_fault_of_an_import_leaves_nothing_behind() {
    let foreign = Foreign::new().await;
    for (fault, kind) in [
        (Fault::Refuse(ProviderError::Unavailable("asked to".to_owned())), ErrorKind::ProviderUnavailable),
        (Fault::LoseReply, ErrorKind::ProviderUnavailable),
        (Fault::Corrupt, ErrorKind::Invalid),
    ] {
        let bench = Bench::new().await;
        *bench.double.generate_fault.lock().unwrap() = Some(fault.clone());
        let outcome = bench.keyring.import(&admin(), foreign.import("a", ProviderKind::Hsm)).await;
        assert_eq!(outcome.unwrap_err().kind(), kind, "{fault:?}");
        assert!(bench.double.locators().is_empty(), "{fault:?}");
        assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
        bench.keyring.import(&admin(), foreign.import("a", ProviderKind::Hsm)).await.unwrap();
    }
}

#[tokio::test]
async fn import_whose_parts_do_not_fit_never_reaches_the_provider() {
    let (bench, foreign, other) = (Bench::new().await, Foreign::new().await, Foreign::new().await);
    for certificates in [Vec::new(), other.certificates()] {
        let new = ImportKeyPair { certificates, ..foreign.import("a", ProviderKind::Hsm) };
        assert_eq!(complaint(bench.keyring.import(&admin(), new).await), invalid(Field::KeyFile));
    }
    let new = ImportKeyPair { algorithm: KeyAlgorithm::P384, ..foreign.import("a", ProviderKind::Hsm) };
    assert_eq!(complaint(bench.keyring.import(&admin(), new).await).0, ErrorKind::Unsupported);
    let elsewhere = bench.keyring.import(&admin(), foreign.import("a", ProviderKind::Local)).await;
    assert_eq!(complaint(elsewhere).0, ErrorKind::Unsupported, "there is no LOCAL provider");
    assert_eq!(bench.double.generated.load(Ordering::SeqCst), 0);
    let no_key = ImportKeyPair { pkcs8: Secret::new(b"no key".to_vec()), ..foreign.import("a", ProviderKind::Hsm) };
    assert_eq!(complaint(bench.keyring.import(&admin(), no_key).await), invalid(Field::KeyFile));
    assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn linked_key_outlives_its_row_and_can_be_linked_again() {
    let (bench, foreign) = (Bench::new().await, Foreign::new().await);
    let locator = foreign.put_into(&bench.double, "theirs").await;
    for name in ["a", "b"] {
        let made = bench.keyring.link(&admin(), foreign.link(name, "theirs")).await.unwrap();
        assert_eq!((made.pair.origin, &made.pair.locator), (KeyOrigin::Linked, &locator));
        assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
        let twice = bench.keyring.link(&admin(), foreign.link("another", "theirs")).await;
        assert_eq!(complaint(twice), invalid(Field::PrivateKey));
        bench.keyring.delete(&admin(), &ring(name)).await.unwrap();
        reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
        assert_eq!(bench.store.pair(made.pair.id).await.unwrap().unwrap().state, KeyState::Destroyed);
        assert_eq!(bench.double.locators(), std::slice::from_ref(&locator));
    }
}

#[tokio::test]
async fn link_is_replayed_without_asking_the_token() {
    let (bench, foreign) = (Bench::new().await, Foreign::new().await);
    let locator = foreign.put_into(&bench.double, "theirs").await;
    let link = || foreign.link("a", "theirs");
    let made = bench.keyring.link(&repeating("body"), link()).await.unwrap();
    bench.double.lose(&locator);
    let again = bench.keyring.link(&repeating("body"), link()).await.unwrap();
    assert!(again.replayed && again.pair == made.pair);
    assert_eq!(complaint(bench.keyring.link(&repeating("other"), link()).await).0, ErrorKind::Invalid);
    assert_eq!(bench.double.sought.load(Ordering::SeqCst), 1, "by the first request alone");
}

#[tokio::test]
async fn request_whose_key_pair_was_deleted_is_not_answered_as_if_it_were_there() {
    let bench = Bench::new().await;
    bench.keyring.generate(&repeating("body"), wanted("a")).await.unwrap();
    bench.keyring.delete(&admin(), &ring("a")).await.unwrap();
    for finished in [false, true] {
        let failure = bench.keyring.generate(&repeating("body"), wanted("a")).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Conflict, "{finished}");
        assert!(failure.public().contains("deleted since"), "{}", failure.public());
        reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    }
    assert_eq!(bench.double.generated.load(Ordering::SeqCst), 1);
    assert!(!bench.keyring.generate(&admin(), wanted("a")).await.unwrap().replayed);
}

#[tokio::test]
async fn link_that_does_not_fit_is_refused_at_its_field() {
    let (bench, foreign, other) = (Bench::new().await, Foreign::new().await, Foreign::new().await);
    foreign.put_into(&bench.double, "theirs").await;
    for _ in 0..2 {
        other.put_into(&bench.double, "twin").await;
    }
    for label in ["nobody", "twin"] {
        let outcome = bench.keyring.link(&admin(), foreign.link("a", label)).await;
        assert_eq!(complaint(outcome), invalid(Field::PrivateKey), "{label}");
    }
    let outcome = bench.keyring.link(&admin(), other.link("a", "theirs")).await;
    assert_eq!(complaint(outcome), invalid(Field::LinkedCertificates));
    let late = LinkKeyPair { deadline: Duration::ZERO, ..foreign.link("a", "theirs") };
    assert_eq!(complaint(bench.keyring.link(&admin(), late).await).0, ErrorKind::Deadline);
    assert_eq!(bench.double.locators().len(), 3, "a link that failed costs no key");
    bench.keyring.link(&admin(), foreign.link("a", "theirs")).await.unwrap();
}

#[tokio::test]
async fn software_key_is_erased_without_its_provider() {
    let foreign = Foreign::new().await;
    let bench = Bench::over(ProviderDouble::local()).await;
    bench.keyring.import(&admin(), foreign.import("a", ProviderKind::Local)).await.unwrap();
    let without = keyring(&bench.store, &Arc::new(ProviderDouble::default()), &bench.clock, "second");
    without.delete(&admin(), &ring("a")).await.unwrap();
    let pair = bench.store.page(None, Timestamp::from_micros(i64::MAX), 9).await.unwrap().remove(0);
    assert_eq!(pair.state, KeyState::Destroying);
    without.finish_destruction(&pair).await.unwrap();
    let pair = bench.store.pair(pair.id).await.unwrap().unwrap();
    assert_eq!((pair.state, pair.sealed), (KeyState::Destroyed, None));
}

#[tokio::test]
async fn only_software_keys_are_given_out() {
    let foreign = Foreign::new().await;
    let software = Bench::over(ProviderDouble::local()).await;
    software.keyring.import(&admin(), foreign.import("a", ProviderKind::Local)).await.unwrap();
    let exported = software.keyring.export(&admin(), &ring("a")).await.unwrap();
    assert!(exported.pkcs8.expose() == foreign.pkcs8.expose());
    assert_eq!(exported.pair.certificates, foreign.certificates());
    let other = software.keyring.generate(&admin(), NewKeyPair { provider: ProviderKind::Local, ..wanted("c") }).await;
    let (pair, chain) = (exported.pair, other.unwrap().pair.certificates);
    software.store.replace_certificates(CertificateReplacement::new(&pair, chain), &[]).await.unwrap();
    assert_eq!(complaint(software.keyring.export(&admin(), &ring("a")).await).0, ErrorKind::Damaged);
    let linked = software.keyring.link(&admin(), foreign.link("b", "theirs")).await;
    assert_eq!(complaint(linked).0, ErrorKind::Unsupported, "there is no token");

    // The double would give the key out; the keyring does not ask it.
    let token = Bench::new().await;
    token.keyring.import(&admin(), foreign.import("a", ProviderKind::Hsm)).await.unwrap();
    assert_eq!(complaint(token.keyring.export(&admin(), &ring("a")).await).0, ErrorKind::NotExportable);
    assert_eq!(complaint(token.keyring.export(&admin(), &ring("b")).await).0, ErrorKind::NotFound);
}

#[tokio::test]
async fn certificates_are_replaced_by_those_for_the_same_key() {
    let (bench, foreign) = (Bench::new().await, Foreign::new().await);
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    for chain in [Vec::new(), foreign.certificates()] {
        let outcome = bench.keyring.replace_certificates(&admin(), &ring("a"), chain).await;
        assert_eq!(complaint(outcome), invalid(Field::IssuedCertificates));
    }
    let chain = [made.pair.certificates.clone(), foreign.certificates()].concat();
    let pair = bench.keyring.replace_certificates(&admin(), &ring("a"), chain.clone()).await.unwrap();
    assert_eq!(pair.certificates, chain);
    assert_eq!(bench.keyring.active(&admin(), &ring("a")).await.unwrap(), pair);
}

#[tokio::test]
async fn exchange_is_for_those_who_manage() {
    let (bench, foreign) = (Bench::new().await, Foreign::new().await);
    foreign.put_into(&bench.double, "theirs").await;
    let reader = Caller::bearer("reader", &[Scope::Read]);
    let keyring = &bench.keyring;
    let refusals = [
        complaint(keyring.import(&reader, foreign.import("a", ProviderKind::Hsm)).await),
        complaint(keyring.link(&reader, foreign.link("a", "theirs")).await),
        complaint(keyring.export(&reader, &ring("a")).await),
        complaint(keyring.replace_certificates(&reader, &ring("a"), foreign.certificates()).await),
    ];
    assert!(refusals.iter().all(|(kind, _)| *kind == ErrorKind::Forbidden), "{refusals:?}");
    assert_eq!(bench.double.generated.load(Ordering::SeqCst), 1, "that of the foreign key itself");
}

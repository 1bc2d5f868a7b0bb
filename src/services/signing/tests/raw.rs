//! Which keys sign whatever callers bring, as documents come and go.

use super::*;
use crate::services::settings::{Catalog, RingSettings};
use crate::store::{DocumentKind, PutOutcome, StoredDocument};
use strongroom_domain::error::{Field, FieldViolation, Reason};
use strongroom_domain::key::RingId;

impl Bench {
    fn catalog(&self) -> Catalog {
        Catalog::new(Arc::clone(&self.store) as Arc<_>, Arc::new(SystemClock))
    }

    async fn set_raw(&self, ring: &str, raw_sign: bool) {
        self.catalog().put_ring_settings(&admin(), &id(ring), RingSettings { raw_sign }).await.unwrap();
    }

    async fn unset(&self, ring: &str) {
        self.catalog().delete_ring_settings(&admin(), &id(ring)).await.unwrap();
    }

    async fn refer(&self, kind: DocumentKind, ring: &str) {
        let updated_at = Timestamp::from_micros(5);
        let document = StoredDocument { kind, id: "one".to_owned(), body: "{}".to_owned(), updated_at };
        assert_eq!(self.store.put_document(document, &[id(ring)], false, &[]).await.unwrap(), PutOutcome::Done);
    }
}

fn id(ring: &str) -> RingId {
    ring.parse().unwrap()
}

#[tokio::test]
async fn being_referred_to_by_a_key_set_turns_raw_signing_off_at_once() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    bench.key("signing:b", KeyUse::Sign, None).await;
    bench.confirm().await;
    let targets = [by_ring("signing:a"), by_id(&pair), by_kid(&pair)];
    for (permit, document) in [DocumentKind::OidcSettings, DocumentKind::AdditionalKeySet].into_iter().enumerate() {
        for target in &targets {
            bench.sign(target).await.unwrap();
        }
        bench.refer(document, "signing:a").await;
        for target in &targets {
            assert_eq!(kind(bench.sign(target).await), ErrorKind::Forbidden, "{permit}");
            bench.jws(target).await.unwrap();
        }
        bench.sign(&by_ring("signing:b")).await.unwrap();
        bench.set_raw("signing:a", true).await;
        bench.sign(&targets[1]).await.unwrap();
        bench.unset("signing:a").await;
        assert_eq!(kind(bench.sign(&targets[1]).await), ErrorKind::Forbidden, "{permit}");
        bench.store.delete_document(document, "one", &[]).await.unwrap();
    }
    bench.sign(&targets[0]).await.unwrap();
}

#[tokio::test]
async fn reference_made_by_another_daemon_counts_once_its_epoch_is_seen() {
    let bench = Bench::new().await;
    bench.key("signing:a", KeyUse::Sign, None).await;
    bench.confirm().await;
    bench.sign(&by_ring("signing:a")).await.unwrap();
    let other = Store::open(&bench.directory.path().join("store.db")).await.unwrap();
    let updated_at = Timestamp::from_micros(5);
    let document =
        StoredDocument { kind: DocumentKind::OidcSettings, id: "one".to_owned(), body: "{}".to_owned(), updated_at };
    other.put_document(document, &[id("signing:a")], false, &[]).await.unwrap();
    bench.confirm().await;
    assert_eq!(kind(bench.sign(&by_ring("signing:a")).await), ErrorKind::Forbidden);
}

#[tokio::test]
async fn settings_rule_every_ring_but_those_of_tls() {
    let bench = Bench::new().await;
    for (ring, alone) in [("signing:a", true), ("connection:a", false), ("web-keys", false)] {
        bench.key(ring, KeyUse::Sign, None).await;
        bench.confirm().await;
        assert_eq!(bench.sign(&by_ring(ring)).await.is_ok(), alone, "{ring}");
        for raw in [true, false] {
            bench.set_raw(ring, raw).await;
            assert_eq!(bench.sign(&by_ring(ring)).await.is_ok(), raw, "{ring}");
        }
        bench.unset(ring).await;
        assert_eq!(bench.sign(&by_ring(ring)).await.is_ok(), alone, "{ring}");
    }
    bench.key("sslServer:a", KeyUse::Sign, None).await;
    let settings = RingSettings { raw_sign: true };
    let refused = bench.catalog().put_ring_settings(&admin(), &id("sslServer:a"), settings).await;
    let refusal = FieldViolation { field: Field::RawSigning, reason: Reason::TlsOnly };
    assert_eq!(refused.unwrap_err().field_violations(), [refusal]);
    assert_eq!(kind(bench.sign(&by_ring("sslServer:a")).await), ErrorKind::Forbidden);
}

#[tokio::test]
async fn settings_go_with_the_last_key_of_their_ring() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    bench.set_raw("signing:a", false).await;
    moved(&bench.store, &pair, KeyState::Destroying).await;
    let gone = bench.catalog().ring_settings(&admin(), &id("signing:a")).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    bench.key("signing:a", KeyUse::Sign, None).await;
    bench.sign(&by_ring("signing:a")).await.unwrap();
}

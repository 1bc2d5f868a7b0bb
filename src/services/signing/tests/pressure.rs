//! Deadlines, shares and turns.

use super::*;
use crate::admission::QueueBounds;
use crate::provider::double::Fault;

impl Bench {
    async fn within(at_once: usize, share: usize) -> Self {
        let Self { directory, store, double, signing } = Self::new().await;
        Self { directory, store, double, signing: signing.with_bounds(QueueBounds { concurrency: at_once, share }) }
    }

    /// The next signature never comes.
    fn hang(&self) {
        *self.double.sign_fault.lock().unwrap() = Some(Fault::Hang);
    }

    async fn sign_as(&self, name: &str, patience: Duration) -> Result<(), Error> {
        let client = named(name).with_deadline(Instant::now() + patience);
        let input = SignInput::Message(b"message".to_vec());
        self.signing.sign(&client, &by_ring("signing:a"), "ES256", input).await.map(drop)
    }
}

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(20);

fn named(name: &str) -> Caller {
    Caller::bearer(name, &Scope::ALL)
}

#[tokio::test]
async fn past_its_deadline_a_request_is_refused_and_no_provider_is_asked() {
    let bench = Bench::within(1, 100).await;
    bench.key("signing:a", KeyUse::Sign, None).await;
    assert_eq!(kind(bench.sign_as("a", Duration::ZERO).await), ErrorKind::Deadline);
    assert_eq!(bench.signed(), 0);
    bench.hang();
    assert_eq!(kind(bench.sign_as("a", SHORT).await), ErrorKind::Deadline);
    assert_eq!(bench.signed(), 1);
    // The one turn is still with the provider, whoever has gone.
    assert_eq!(kind(bench.sign_as("b", SHORT).await), ErrorKind::Deadline);
    assert_eq!(bench.signed(), 1);
}

#[tokio::test]
async fn principal_with_its_share_under_way_is_told_so_and_others_go_on() {
    let bench = Bench::within(10, 1).await;
    bench.key("signing:a", KeyUse::Sign, None).await;
    bench.hang();
    let meanwhile = async {
        while bench.signed() == 0 {
            tokio::task::yield_now().await;
        }
        let refused = bench.sign_as("a", LONG).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Busy);
        assert!(refused.public().contains("its share"), "{}", refused.public());
        bench.sign_as("b", LONG).await.unwrap();
    };
    let (first, ()) = tokio::join!(bench.sign_as("a", Duration::from_millis(500)), meanwhile);
    assert_eq!(kind(first), ErrorKind::Deadline);
    bench.sign_as("a", LONG).await.unwrap();
}

#[tokio::test]
async fn batch_is_one_request_however_many_items_it_has() {
    let bench = Bench::within(2, 1).await;
    bench.key("signing:a", KeyUse::Sign, None).await;
    let items = (0..200).map(|_| Ok(SignInput::Message(b"message".to_vec()))).collect();
    let (_, signed) = bench.signing.sign_batch(&client(), &by_ring("signing:a"), "ES256", items).await.unwrap();
    assert_eq!(signed.iter().filter(|signature| signature.is_ok()).count(), 200);
}

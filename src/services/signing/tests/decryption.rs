//! Who may have what decrypted, and how little a refusal says.

use super::*;
use strongroom_domain::error::{FieldViolation, OperationFault, OperationField};

/// As long as the double's keys are.
const LENGTH: usize = 32;

impl Bench {
    async fn decrypt(&self, who: &Caller, target: &Target, algorithm: &str, first: u8) -> Result<Vec<u8>, Error> {
        let mut ciphertext = vec![7; LENGTH];
        ciphertext[0] = first;
        let opened = self.signing.decrypt(&client_of(who.clone()), target, algorithm, ciphertext).await;
        opened.map(|(_, plaintext)| plaintext.expose().to_vec())
    }

    fn decrypted(&self) -> usize {
        self.double.decrypted.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn keys_of_this_use_decrypt_while_active_and_after() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:d", KeyUse::Decrypt, None).await;
    let plaintext = bench.decrypt(&admin(), &by_ring("signing:d"), "RSA-OAEP", 1).await.unwrap();
    assert_eq!((plaintext[0], plaintext[LENGTH - 1]), (7, 1));
    moved(&bench.store, &pair, KeyState::Deactivated).await;
    bench.decrypt(&admin(), &by_id(&pair), "RSA-OAEP", 1).await.unwrap();
    assert_eq!(bench.decrypted(), 2);
}

#[tokio::test]
async fn what_is_refused_reaches_no_provider() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:d", KeyUse::Decrypt, None).await;
    bench.key("signing:s", KeyUse::Sign, None).await;
    bench.key("sslServer:d", KeyUse::Decrypt, None).await;
    let target = by_id(&pair);
    let kind = async |who: &Caller, target: &Target, algorithm: &str| {
        bench.decrypt(who, target, algorithm, 1).await.unwrap_err().kind()
    };
    let others = [Scope::Read, Scope::Manage, Scope::Sign, Scope::Verify, Scope::Operate];
    assert_eq!(kind(&Caller::bearer("b", &others), &target, "RSA-OAEP").await, ErrorKind::Forbidden);
    assert_eq!(kind(&admin(), &by_ring("signing:s"), "RSA-OAEP").await, ErrorKind::Forbidden);
    assert_eq!(kind(&admin(), &by_ring("sslServer:d"), "RSA-OAEP").await, ErrorKind::Forbidden);
    assert_eq!(kind(&admin(), &by_ring("signing:nobody"), "RSA-OAEP").await, ErrorKind::NotFound);
    assert_eq!(kind(&admin(), &target, "RSA1_5").await, ErrorKind::Invalid);
    assert_eq!(kind(&admin(), &target, "RSA-OAEP-256").await, ErrorKind::Unsupported);
    bench.store.set_presence(pair.id, TokenPresence::Missing { since: Timestamp::from_micros(9) }, &[]).await.unwrap();
    assert_eq!(kind(&admin(), &target, "RSA-OAEP").await, ErrorKind::ProviderUnavailable);
    bench.store.set_presence(pair.id, TokenPresence::Found, &[]).await.unwrap();
    assert_eq!(bench.decrypted(), 0);
    moved(&bench.store, &bench.store.pair(pair.id).await.unwrap().unwrap(), KeyState::Destroying).await;
    assert_eq!(kind(&admin(), &target, "RSA-OAEP").await, ErrorKind::NotFound);
    assert_eq!(bench.decrypted(), 0);
}

#[tokio::test]
async fn whatever_does_not_decrypt_is_refused_in_the_same_words() {
    let bench = Bench::new().await;
    let target = by_id(&bench.key("signing:d", KeyUse::Decrypt, None).await);
    let mut refusals = vec![bench.decrypt(&admin(), &target, "RSA-OAEP", 0).await.unwrap_err()];
    assert_eq!(bench.decrypted(), 1);
    for length in [0, LENGTH - 1, LENGTH + 1] {
        let refused = bench.signing.decrypt(&client(), &target, "RSA-OAEP", vec![1; length]).await;
        refusals.push(refused.map(drop).unwrap_err());
    }
    assert_eq!(bench.decrypted(), 1, "another length needs no provider");
    for refusal in &refusals {
        assert_eq!(refusal.kind(), ErrorKind::Invalid);
        assert_eq!(
            refusal.field_violations(),
            [FieldViolation::of_operation(OperationField::Ciphertext, OperationFault::NotDecrypted)]
        );
        assert_eq!(format!("{refusal:?}"), format!("{:?}", refusals[0]));
    }
}

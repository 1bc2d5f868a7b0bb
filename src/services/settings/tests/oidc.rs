use super::*;

fn key(name: &str) -> OidcKey {
    OidcKey { name: name.to_owned(), kid: None, algorithm_kids: Vec::new() }
}

fn keys(active: &str, previous: Option<&str>) -> OidcKeys {
    OidcKeys { active: key(active), previous: previous.map(key), publish_x5c: false }
}

fn group<const N: usize>(members: [(OidcKeyType, OidcKeys); N]) -> OidcGroup {
    members.into_iter().collect()
}

fn set(id: &str, signing: OidcGroup, issuers: &[&str]) -> AdditionalKeySet {
    let issuers = issuers.iter().map(|issuer| (*issuer).to_owned()).collect();
    AdditionalKeySet { id: id.to_owned(), name: id.to_owned(), description: None, signing, issuers }
}

fn paths(outcome: Result<(), Error>) -> Vec<String> {
    faults(outcome).into_iter().map(|(path, _)| path).collect()
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    for (name, key_use, algorithm) in [
        ("signing:rsa", KeyUse::Sign, KeyAlgorithm::RSA_2048),
        ("signing:rsa-before", KeyUse::Sign, KeyAlgorithm::RSA_4096),
        ("signing:p256", KeyUse::Sign, KeyAlgorithm::P256),
        ("signing:p384", KeyUse::Sign, KeyAlgorithm::P384),
        ("signing:p521", KeyUse::Sign, KeyAlgorithm::P521),
        ("signing:opens", KeyUse::Decrypt, KeyAlgorithm::RSA_2048),
        ("sslServer:tls", KeyUse::Sign, KeyAlgorithm::RSA_2048),
    ] {
        bench.ring_of(name, key_use, algorithm).await;
    }
    bench
}

fn complete() -> OidcSettings {
    OidcSettings {
        is_static: true,
        signing: group([
            (OidcKeyType::P256, keys("p256", None)),
            (OidcKeyType::P384, keys("p384", None)),
            (OidcKeyType::P521, keys("p521", None)),
            (OidcKeyType::Rsa, keys("rsa", Some("rsa-before"))),
        ]),
        decryption: group([(OidcKeyType::Rsa, keys("opens", None))]),
        ..OidcSettings::default()
    }
}

#[tokio::test]
async fn oidc_settings_hold_the_key_pairs_that_they_name() {
    let (bench, admin) = (bench().await, admin());
    assert_eq!(bench.catalog.oidc_settings(&admin).await.unwrap(), OidcSettings::default());
    bench.catalog.put_oidc_settings(&admin, complete()).await.unwrap();
    assert_eq!(bench.catalog.oidc_settings(&admin).await.unwrap(), complete());
    for ring in ["signing:rsa", "signing:rsa-before", "signing:p521", "signing:opens"] {
        assert!(matches!(bench.delete(&ring.parse().unwrap()).await, Err(StoreError::InUse(_))), "{ring}");
    }
    bench.catalog.put_oidc_settings(&admin, OidcSettings::default()).await.unwrap();
    bench.delete(&"signing:rsa".parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn keys_of_another_type_or_use_and_those_that_are_not_there_are_refused() {
    let (bench, admin) = (bench().await, admin());
    bench.catalog.put_oidc_settings(&admin, complete()).await.unwrap();
    let wrong = OidcSettings {
        is_static: true,
        signing: group([
            (OidcKeyType::P256, keys("p384", None)),
            (OidcKeyType::P384, keys("p384", Some("nobody"))),
            (OidcKeyType::P521, keys("", None)),
            (OidcKeyType::Rsa, keys("opens", Some("p256"))),
        ]),
        decryption: group([(OidcKeyType::P256, keys("p256", None)), (OidcKeyType::Rsa, keys("tls", Some("rsa")))]),
        ..OidcSettings::default()
    };
    let found = paths(bench.catalog.put_oidc_settings(&admin, wrong).await);
    let expected = [
        "p256ActiveCertRef.id",
        "p384PreviousCertRef.id",
        "p521ActiveCertRef.id",
        "rsaActiveCertRef.id",
        "rsaPreviousCertRef.id",
        "p256DecryptionActiveCertRef.id",
        "rsaDecryptionActiveCertRef.id",
        "rsaDecryptionPreviousCertRef.id",
    ];
    assert_eq!(found, expected);
    assert_eq!(bench.catalog.oidc_settings(&admin).await.unwrap(), complete(), "nothing was changed");
}

#[tokio::test]
async fn no_name_stands_for_two_keys() {
    let (bench, admin) = (bench().await, admin());
    let mut twice = complete();
    let rsa = twice.signing.get_mut(&OidcKeyType::Rsa).unwrap();
    rsa.previous = Some(OidcKey { kid: Some("same".to_owned()), ..key("rsa") });
    rsa.active.kid = Some("same".to_owned());
    let kids = [("RS256", "a"), ("RS256", "b"), ("ES256", "a")];
    rsa.active.algorithm_kids = kids.map(|(name, kid)| (name.to_owned(), kid.to_owned())).to_vec();
    let expected = [
        "rsaPreviousCertRef.id",
        "rsaAlgorithmActiveKeyIds[1].rsaAlgType",
        "rsaAlgorithmActiveKeyIds[2].rsaAlgType",
        "rsaAlgorithmActiveKeyIds[2].keyId",
        "rsaPreviousKeyId",
    ];
    assert_eq!(paths(bench.catalog.put_oidc_settings(&admin, twice).await), expected);
}

#[tokio::test]
async fn additional_key_sets_share_no_issuer_and_hold_their_key_pairs() {
    let (bench, admin) = (bench().await, admin());
    let catalog = &bench.catalog;
    let rsa = || group([(OidcKeyType::Rsa, keys("rsa", None))]);
    let (one, two) = (set("one", rsa(), &["a", "b"]), set("two", rsa(), &["c"]));
    catalog.put_additional_key_set(&admin, one.clone(), true).await.unwrap();
    catalog.put_additional_key_set(&admin, two.clone(), true).await.unwrap();
    assert_eq!(catalog.additional_key_sets(&admin).await.unwrap(), [one.clone(), two]);
    let refused = faults(catalog.put_additional_key_set(&admin, one.clone(), true).await);
    assert_eq!(refused, [("id".to_owned(), Rule::NotUnique)]);
    let wrong = group([(OidcKeyType::P256, keys("rsa", None))]);
    let taken = set("three", wrong, &["d", "b", "d"]);
    let expected = ["issuers[1].id", "issuers[2].id", "signingKeys.p256ActiveCertRef.id"];
    assert_eq!(paths(catalog.put_additional_key_set(&admin, taken, true).await), expected);

    let changed = set("one", rsa(), &["b", "d"]);
    catalog.put_additional_key_set(&admin, changed.clone(), false).await.unwrap();
    assert_eq!(catalog.additional_key_set(&admin, "one").await.unwrap(), changed);
    let absent = set("absent", rsa(), &["e"]);
    let refused = catalog.put_additional_key_set(&admin, absent, false).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);

    let ring = "signing:rsa".parse().unwrap();
    for id in ["one", "two"] {
        assert!(matches!(bench.delete(&ring).await, Err(StoreError::InUse(_))), "{id}");
        catalog.delete_additional_key_set(&admin, id).await.unwrap();
        let again = catalog.delete_additional_key_set(&admin, id).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::NotFound);
    }
    bench.delete(&ring).await.unwrap();
}

#[tokio::test]
async fn readers_change_no_oidc_keys_and_strangers_see_none() {
    let bench = bench().await;
    let (reader, stranger) = (who(&[Scope::Read]), who(&[Scope::Sign]));
    let one = set("one", OidcGroup::new(), &["a"]);
    for refused in [
        bench.catalog.put_oidc_settings(&reader, complete()).await,
        bench.catalog.put_additional_key_set(&reader, one, true).await,
        bench.catalog.delete_additional_key_set(&reader, "one").await,
        bench.catalog.oidc_settings(&stranger).await.map(drop),
        bench.catalog.additional_key_sets(&stranger).await.map(drop),
        bench.catalog.additional_key_set(&stranger, "one").await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    }
}

use super::*;
use strongroom_domain::error::OidcField;
use strongroom_domain::oidc::OidcKeyGroup::{AdditionalSet, Decryption, Signing};
use strongroom_domain::oidc::OidcKeySlot::{Active, Previous};
use strongroom_domain::oidc::{OidcKeyGroup, OidcKeyPlace, OidcKeySlot, OidcKeyType};

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

const fn place(group: OidcKeyGroup, key_type: OidcKeyType, slot: OidcKeySlot) -> OidcKeyPlace {
    OidcKeyPlace { group, key_type, slot }
}

fn at(field: OidcField, fault: SettingFault) -> FieldViolation {
    FieldViolation { field: Field::Oidc(field), reason: fault.into() }
}

fn unknown(name: &str) -> SettingFault {
    SettingFault::NoSuchRing(RingKind::Signing, name.to_owned())
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
    let found = refusals(bench.catalog.put_oidc_settings(&admin, wrong).await);
    let wrong_type = |name: &str, wanted| SettingFault::WrongType(name.to_owned(), wanted);
    let wrong_use = |name: &str, wanted| SettingFault::WrongUse(name.to_owned(), wanted);
    let expected = [
        (Signing, OidcKeyType::P256, Active, wrong_type("p384", OidcKeyType::P256)),
        (Signing, OidcKeyType::P384, Previous, unknown("nobody")),
        (Signing, OidcKeyType::P521, Active, unknown("")),
        (Signing, OidcKeyType::Rsa, Active, wrong_use("opens", KeyUse::Sign)),
        (Signing, OidcKeyType::Rsa, Previous, wrong_type("p256", OidcKeyType::Rsa)),
        (Decryption, OidcKeyType::P256, Active, wrong_use("p256", KeyUse::Decrypt)),
        (Decryption, OidcKeyType::Rsa, Active, unknown("tls")),
        (Decryption, OidcKeyType::Rsa, Previous, wrong_use("rsa", KeyUse::Decrypt)),
    ];
    let key = |(group, key_type, slot, fault)| at(OidcField::Key(place(group, key_type, slot)), fault);
    assert_eq!(found, expected.map(key));
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
    let (active, previous) = (place(Signing, OidcKeyType::Rsa, Active), place(Signing, OidcKeyType::Rsa, Previous));
    let expected = [
        (OidcField::Key(previous), SettingFault::PreviousIsActive),
        (OidcField::Algorithm(active, 1), SettingFault::AlgorithmTwice("RS256".to_owned())),
        (OidcField::Algorithm(active, 2), SettingFault::NotPermitted("rsa".to_owned(), "ES256".to_owned())),
        (OidcField::AlgorithmKid(active, 2), SettingFault::KidTwice("a".to_owned())),
        (OidcField::Kid(previous), SettingFault::KidTwice("same".to_owned())),
    ];
    let expected = expected.map(|(field, fault)| at(field, fault));
    assert_eq!(refusals(bench.catalog.put_oidc_settings(&admin, twice).await), expected);
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
    let refused = refusals(catalog.put_additional_key_set(&admin, one.clone(), true).await);
    let taken = Reason::IdInUse("one".to_owned());
    assert_eq!(refused, [FieldViolation { field: Field::Oidc(OidcField::KeySetId), reason: taken }]);
    let wrong = group([(OidcKeyType::P256, keys("rsa", None))]);
    let taken = set("three", wrong, &["d", "b", "d"]);
    let p256 = place(AdditionalSet, OidcKeyType::P256, Active);
    let in_one = SettingFault::IssuerTaken { issuer: "b".to_owned(), key_set: "one".to_owned() };
    let expected = [
        at(OidcField::Issuer(1), in_one),
        at(OidcField::Issuer(2), SettingFault::IssuerTwice("d".to_owned())),
        at(OidcField::Key(p256), SettingFault::WrongType("rsa".to_owned(), OidcKeyType::P256)),
    ];
    assert_eq!(refusals(catalog.put_additional_key_set(&admin, taken, true).await), expected);

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

#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "tests")]

use super::{
    Auth0, Config, Connections, DatabaseHost, MasterKeySource, PasswordSource, Plaintext, Pooler, PostgresTls,
    StoreConfig,
};
use strongroom_domain::key::{KeyAlgorithm, ProviderKind};
use strongroom_token::TokenSelector;

const WHOLE: &str = r#"
version = 1
state-dir = "/var/lib/strongroom"
[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "strongroom"
pin-file = "/etc/strongroom/pin"
[store]
path = "/var/lib/strongroom/strongroom.db"
[[credentials]]
name = "admin"
hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
scopes = ["read", "manage"]
"#;

fn findings(text: &str) -> Vec<String> {
    Config::parse(text).unwrap_err().0
}

#[test]
fn smallest_file_is_accepted_with_defaults() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.token.unwrap().selector, TokenSelector::Label("strongroom".to_owned()));
    assert_eq!(config.listener.plaintext, Plaintext::Loopback);
    assert_eq!(config.hosts.generate_timeout.as_secs(), 300);
    assert_eq!(config.limits.body_bytes, 262_144);
}

#[test]
fn every_finding_is_reported_at_once() {
    let text = WHOLE
        .replace("version = 1", "version = 2\ncolour = \"red\"")
        .replace("label = \"strongroom\"", "label = \"a\"\nserial = \"b\"\nlable = \"c\"")
        .replace("\"manage\"", "\"everything\"")
        .replace("sha256:00", "sha256:0g");
    let findings = findings(&text);
    for part in ["`colour`", "`token.lable`", "version: 2", "exactly one of", "`everything`", "64 hex digits"] {
        assert!(findings.iter().any(|finding| finding.contains(part)), "{part} is not in {findings:?}");
    }
}

#[test]
fn plain_http_beyond_loopback_needs_a_word() {
    let open = format!("{WHOLE}\n[listener]\naddress = \"0.0.0.0:9980\"\n");
    assert!(findings(&open).iter().any(|finding| finding.contains("behind-tls-proxy")));
    assert!(Config::parse(&format!("{open}plaintext = \"behind-tls-proxy\"\n")).is_ok());
}

#[test]
fn pkcs11_uris_name_a_token_by_their_path_attributes() {
    let with = |uri: &str| Config::parse(&WHOLE.replace("label = \"strongroom\"", &format!("uri = \"{uri}\"")));
    let expected = TokenSelector::Uri {
        token: Some("my token".to_owned()),
        serial: Some("ab12".to_owned()),
        manufacturer: None,
        model: None,
    };
    assert_eq!(with("pkcs11:token=my%20token;serial=ab12").unwrap().token.unwrap().selector, expected);
    for wrong in ["pkcs11:", "token=a", "pkcs11:token=a;token=b", "pkcs11:object=key", "pkcs11:token=a?pin-value=1"] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn durations_are_written_with_units() {
    let with = |value: &str| Config::parse(&format!("{WHOLE}\n[hosts]\nsign-timeout = {value}\n"));
    assert_eq!(with("\"2m\"").unwrap().hosts.sign_timeout.as_secs(), 120);
    assert!(with("\"soon\"").is_err());
    assert!(with("\"0s\"").is_err());
}

/// The file with other sections in the place of `[token]`.
fn without_token(sections: &str) -> String {
    let (start, end) = (WHOLE.find("[token]").unwrap(), WHOLE.find("[store]").unwrap());
    format!("{}{sections}\n{}", &WHOLE[..start], &WHOLE[end..])
}

#[test]
fn local_keys_need_something_that_seals_them() {
    let token = Config::parse(&format!("{WHOLE}\n[local]\nmaster-key = \"token\"\n")).unwrap();
    assert_eq!((token.local, token.pingfederate.default_provider), (Some(MasterKeySource::Token), ProviderKind::Hsm));
    let alone = Config::parse(&without_token("[local]\nkey-file = \"/etc/strongroom/key\"")).unwrap();
    assert_eq!(alone.local, Some(MasterKeySource::KeyFile("/etc/strongroom/key".into())));
    assert_eq!((alone.token, alone.pingfederate.default_provider), (None, ProviderKind::Local));
    for (text, part) in [
        (without_token(""), "neither [token] nor [local]"),
        (without_token("[local]\nmaster-key = \"token\""), "there is no [token]"),
        (format!("{WHOLE}\n[local]\n"), "either master-key"),
        (format!("{WHOLE}\n[local]\nmaster-key = \"token\"\nkey-file = \"/key\"\n"), "either master-key"),
        (format!("{WHOLE}\n[local]\nkey-file = \"key\"\n"), "absolute path"),
        (format!("{WHOLE}\n[local]\nkey-file = \"/key\"\ncolour = 1\n"), "`local.colour`"),
        (format!("{WHOLE}\n[local]\nmaster-key = \"clear\"\n"), "clear"),
    ] {
        assert!(findings(&text).iter().any(|finding| finding.contains(part)), "{part} is not in {:?}", findings(&text));
    }
}

#[test]
fn web_keys_have_an_owner_an_issuer_and_a_schedule_that_can_be() {
    let with = |lines: &str| format!("{WHOLE}\n[zitadel]\n{lines}\n");
    let zitadel = Config::parse(WHOLE).unwrap().zitadel;
    assert_eq!((zitadel.provider, zitadel.bootstrap), (ProviderKind::Hsm, false));
    assert_eq!((zitadel.issuer, zitadel.rotation_period), (None, None));
    for issuer in ["https://keys.example.com", "https://example.com:8443/tenant", "http://127.0.0.1:9980"] {
        let config = Config::parse(&with(&format!("issuer = \"{issuer}\""))).unwrap();
        assert_eq!(config.zitadel.issuer.as_deref(), Some(issuer));
    }
    for issuer in
        ["", "keys.example.com", "ftp://a.b", "https://a.b/", "https://a.b?c", "https://a.b#c", "https://u@a.b"]
    {
        let findings = findings(&with(&format!("issuer = \"{issuer}\"")));
        assert!(findings.iter().any(|finding| finding.starts_with("zitadel.issuer:")), "{issuer}: {findings:?}");
    }
    for (line, part) in [
        ("instance-id = \"\"", "zitadel.instance-id"),
        ("rotation-period = \"1h\"", "at least a day"),
        ("provider = \"LOCAL\"", "needs a section [local]"),
        ("owner = \"x\"", "`zitadel.owner`"),
    ] {
        assert!(findings(&with(line)).iter().any(|finding| finding.contains(part)), "{line}");
    }
}

#[test]
fn stock_is_off_unless_algorithms_have_targets() {
    let none = Config::parse(WHOLE).unwrap().stock;
    assert!(none.targets.is_empty());
    assert_eq!((none.max_age.as_secs(), none.idle.as_secs(), none.most_keys), (2_592_000, 5, None));
    let with = |text: &str| format!("{WHOLE}\n[stock]\n{text}\n");
    let text = "max-age = \"10d\"\npartition-keys = 50\npartition-share = 30\ntargets = { rsa-2048 = 4, p-256 = 1 }";
    let stock = Config::parse(&with(text)).unwrap().stock;
    assert_eq!(stock.targets.into_iter().collect::<Vec<_>>(), [(KeyAlgorithm::RSA_2048, 4), (KeyAlgorithm::P256, 1)]);
    assert_eq!((stock.max_age.as_secs(), stock.most_keys), (864_000, Some(15)));
    for (text, part) in [
        ("targets = { rsa-1024 = 4 }", "`rsa-1024` is no key algorithm"),
        ("targets = { rsa-2048 = 0 }", "stock.targets.rsa-2048: between"),
        ("max-age = \"0s\"", "stock.max-age"),
        ("partition-share = 101", "stock.partition-share"),
        ("partition-keys = 0", "stock.partition-keys"),
        ("colour = 1", "`stock.colour`"),
    ] {
        let found = findings(&with(text));
        assert!(found.iter().any(|finding| finding.contains(part)), "{part} is not in {found:?}");
    }
    let alone = without_token("[local]\nkey-file = \"/key\"\n[stock]\ntargets = { rsa-2048 = 1 }");
    assert!(findings(&alone).iter().any(|finding| finding.contains("there is no [token] to keep a stock in")));
}

#[test]
fn default_provider_is_one_that_is_configured() {
    let with = |base: &str, word: &str| format!("{base}\n[pingfederate]\ndefault-provider = \"{word}\"\n");
    let local = without_token("[local]\nkey-file = \"/key\"");
    assert!(findings(&with(WHOLE, "LOCAL")).iter().any(|finding| finding.contains("[local]")));
    assert!(findings(&with(&local, "HSM")).iter().any(|finding| finding.contains("[token]")));
    assert!(findings(&with(WHOLE, "CLOUD")).iter().any(|finding| finding.contains("no provider")));
    assert_eq!(Config::parse(&with(&local, "LOCAL")).unwrap().pingfederate.default_provider, ProviderKind::Local);
}

#[test]
fn connections_are_implicit_and_their_keys_the_tokens_unless_the_file_says_otherwise() {
    let plain = Config::parse(WHOLE).unwrap().auth0;
    assert_eq!(plain, Auth0::with_provider(ProviderKind::Hsm));
    assert_eq!((plain.connections, plain.rsa, plain.valid_days), (Connections::Implicit, KeyAlgorithm::RSA_2048, 365));
    assert_eq!((plain.rotation_period, plain.overlap.as_secs()), (None, 86_400));
    let with = |line: &str| format!("{WHOLE}\n[auth0]\n{line}\n");
    let said = "connections = \"declared\"\nrsa-bits = 4096\nvalid-days = 30\nrate-limit = 1\n\
                rotation-period = \"365days\"\noverlap = \"2h\"";
    let said = Config::parse(&with(said)).unwrap().auth0;
    assert_eq!((said.connections, said.rsa, said.valid_days), (Connections::Declared, KeyAlgorithm::RSA_4096, 30));
    assert_eq!((said.rate_limit, said.overlap.as_secs()), (1, 7200));
    assert_eq!(said.rotation_period.map(|period| period.as_secs()), Some(365 * 86_400));
    for (line, part) in [
        ("connections = \"some\"", "declared"),
        ("provider = \"LOCAL\"", "auth0.provider"),
        ("rsa-bits = 1024", "2048"),
        ("valid-days = 0", "36500"),
        ("rate-limit = 0", "at least 1"),
        ("rotation-period = \"1h\"", "at least a day"),
        ("overlap = \"soon\"", "duration"),
        ("colour = 1", "`auth0.colour`"),
    ] {
        let found = findings(&with(line));
        assert!(found.iter().any(|finding| finding.contains(part)), "{part} is not in {found:?}");
    }
}

#[test]
fn rotation_leaves_verifiers_the_time_that_they_need() {
    let with = |text: &str| Config::parse(&format!("{WHOLE}\n{text}"));
    let config = with("[rotation]\nlead = \"2h\"\njwks-max-age = \"1h\"\nenabled = false").unwrap();
    assert_eq!((config.rotation.lead.as_secs(), config.rotation.enabled), (7200, false));
    for (text, part) in [
        ("[rotation]\nlead = \"1h\"\njwks-max-age = \"31m\"", "rotation.lead: at least twice rotation.jwks-max-age"),
        ("[rotation]\noverlap = \"1m\"", "rotation.overlap"),
        ("[rotation]\ninterval = \"0s\"", "rotation.interval"),
        ("[rotation]\ndestroy-limit = 0", "rotation.destroy-limit"),
        ("[keys]\ndestruction-window = \"366d\"", "keys.destruction-window"),
        ("[rotation]\nclock-guard = \"1m\"", "rotation.clock-guard"),
        ("[rotation]\ncolour = 1", "`rotation.colour`"),
        ("[rotation]\nlead = \"3days\"\n[auth0]\nrotation-period = \"2days\"", "auth0.rotation-period"),
        ("[rotation]\nlead = \"3days\"\n[zitadel]\nrotation-period = \"2days\"", "zitadel.rotation-period"),
        ("[auth0]\noverlap = \"1m\"", "auth0.overlap"),
    ] {
        let findings = with(text).unwrap_err().0;
        assert!(findings.iter().any(|finding| finding.contains(part)), "{part} is not in {findings:?}");
    }
}

/// The file with other lines in the place of the store's path.
fn with_store(lines: &str) -> String {
    WHOLE.replace("path = \"/var/lib/strongroom/strongroom.db\"", lines)
}

#[test]
fn store_is_a_file_or_a_database() {
    let file = Config::parse(WHOLE).unwrap().store;
    assert_eq!(file, StoreConfig::Sqlite("/var/lib/strongroom/strongroom.db".into()));
    let lines = "url = \"postgres://key%20daemon@db1.example,[::1]:6432,%2Frun%2Fpostgresql/keys\"\n\
                 password-file = \"/etc/strongroom/password\"";
    let StoreConfig::Postgres(store) = Config::parse(&with_store(lines)).unwrap().store else { panic!("a database") };
    let hosts = [
        DatabaseHost::Tcp("db1.example".to_owned(), 5432),
        DatabaseHost::Tcp("::1".to_owned(), 6432),
        DatabaseHost::Socket("/run/postgresql".into(), 5432),
    ];
    assert_eq!((store.user.as_str(), store.database.as_str()), ("key daemon", "keys"));
    assert_eq!((&store.hosts[..], &store.listen[..]), (&hosts[..], &hosts[..]));
    assert_eq!(hosts.map(|host| host.is_here()), [false, true, true]);
    assert_eq!(store.password, Some(PasswordSource::File("/etc/strongroom/password".into())));
    assert_eq!((store.tls, store.pooler, store.connections), (PostgresTls::VerifyFull, Pooler::None, 10));

    let pooled = Config::parse(&with_store("url = \"postgres://a@h/d\"\npooler = \"transaction\"")).unwrap().store;
    let StoreConfig::Postgres(pooled) = pooled else { panic!("a database") };
    assert_eq!(pooled.listen, [], "a pooler passes no notifications on");
}

#[test]
fn database_that_cannot_be_is_refused() {
    let url = |lines: &str| with_store(&format!("url = \"postgres://a@h/d\"\n{lines}"));
    for (text, part) in [
        (with_store(""), "store.path: `` is not an absolute path"),
        (with_store("path = \"/a\"\nurl = \"postgres://a@h/d\""), "either path or url"),
        (with_store("path = \"/a\"\nschema = \"b\""), "store.schema: it belongs to PostgreSQL"),
        (with_store("url = \"mysql://a@h/d\""), "store.url: it is no URL postgres://"),
        (with_store("url = \"postgres://h/d\""), "names no user"),
        (with_store("url = \"postgres://a@h\""), "is no URL"),
        (with_store("url = \"postgres://a@h:x/d\""), "is no URL"),
        (with_store("url = \"postgres://a@/d\""), "is no URL"),
        (with_store("url = \"postgres://a:secret@h/d\""), "passwords lie in"),
        (with_store("url = \"postgres://a@h/d?sslmode=disable\""), "keys of their own"),
        (url("schema = \"a-b\""), "store.schema"),
        (url("schema = \"x; DROP\""), "store.schema"),
        (url("id = \"7\""), "store.id"),
        (url("connections = 1"), "between 2 and 1000"),
        (url("lock-timeout = \"1ms\""), "store.lock-timeout"),
        (url("password-file = \"p\""), "absolute path"),
        (url("password-file = \"/p\"\npassword-credential = \"p\""), "either password-file"),
        (url("client-key-file = \"/k\""), "go together"),
        (url("pooler = \"statement\""), "statement"),
        (url("tls = \"prefer\""), "prefer"),
    ] {
        assert!(findings(&text).iter().any(|finding| finding.contains(part)), "{part} is not in {:?}", findings(&text));
        assert!(findings(&text).iter().all(|finding| !finding.contains("secret")), "{:?}", findings(&text));
    }
}

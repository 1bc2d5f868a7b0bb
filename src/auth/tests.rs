#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::credential::MIN_SECRET_CHARS;
use super::policy::{Action, Resource};
use super::*;
use strongroom_domain::secret::Secret;

const ALICE: &str = "alice-has-a-secret-of-forty-characters-!";
const BOB: &str = "bob-has-another:secret:with:colons:in:it";

fn hash(secret: &str) -> SecretHash {
    SecretHash::of(&Secret::new(secret.as_bytes().to_vec())).unwrap()
}

fn authenticator() -> Authenticator {
    let credential = |name: &str, secret, scopes: &[Scope]| Credential {
        name: name.to_owned(),
        hash: hash(secret),
        scopes: scopes.to_vec(),
    };
    Authenticator::new(vec![
        credential("alice", ALICE, &[Scope::Read, Scope::Manage]),
        credential("bob", BOB, &[Scope::Read]),
    ])
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn name_of(header: &str) -> Option<(String, AuthScheme)> {
    authenticator().authenticate(header).map(|(principal, scheme)| (principal.name().to_owned(), scheme))
}

#[test]
fn bearer_tokens_tell_their_principal() {
    let alice = Some(("alice".to_owned(), AuthScheme::Bearer));
    assert_eq!(name_of(&format!("Bearer {ALICE}")), alice);
    assert_eq!(name_of(&format!("bEARER  {ALICE} ")), alice);
    assert_eq!(name_of(&format!("Bearer {BOB}")), Some(("bob".to_owned(), AuthScheme::Bearer)));
}

#[test]
fn basic_passwords_tell_their_principal_under_its_own_name_only() {
    assert_eq!(name_of(&basic("alice", ALICE)), Some(("alice".to_owned(), AuthScheme::Basic)));
    assert_eq!(name_of(&basic("bob", BOB)), Some(("bob".to_owned(), AuthScheme::Basic)), "colons in the password");
    assert_eq!(name_of(&basic("bob", ALICE)), None);
    assert_eq!(name_of(&basic("Alice", ALICE)), None);
    assert_eq!(name_of(&basic("", ALICE)), None);
}

#[test]
fn whatever_else_is_presented_is_nobody() {
    let almost = &ALICE[..ALICE.len() - 1];
    let not_utf8 = format!("Basic {}", STANDARD.encode([b"\xff:", ALICE.as_bytes()].concat()));
    let no_colon = format!("Basic {}", STANDARD.encode(ALICE));
    let rows = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic ".to_owned(),
        "Basic ?".to_owned(),
        ALICE.to_owned(),
        format!("Bearer {almost}"),
        format!("Bearer {ALICE}x"),
        format!("Digest {ALICE}"),
        format!("Bearer {}", hash(ALICE)),
        basic("alice", almost),
        basic("alice", ""),
        not_utf8,
        no_colon,
    ];
    for header in rows {
        assert_eq!(name_of(&header), None, "{header}");
    }
    assert!(Authenticator::new(Vec::new()).authenticate(&format!("Bearer {ALICE}")).is_none());
}

#[test]
fn scopes_grant_their_actions_and_no_others() {
    let granted = |scopes: &[Scope], action| policy::allow(&Caller::bearer("b", scopes), action, Resource::Daemon);
    for scope in Scope::ALL {
        assert_eq!(granted(&[], Action::Sign), Err(Denied::Scope(Scope::Sign)));
        assert_eq!(granted(&[scope], Action::Sign).is_ok(), scope == Scope::Sign);
        assert_eq!(granted(&[scope], Action::Verify).is_ok(), scope == Scope::Verify);
        assert_eq!(granted(&[scope], Action::Decrypt).is_ok(), scope == Scope::Decrypt);
        assert_eq!(granted(&[scope], Action::ReadKey).is_ok(), matches!(scope, Scope::Read | Scope::Manage));
        assert_eq!(granted(&[scope], Action::DeleteKey).is_ok(), scope == Scope::Manage);
        assert_eq!(granted(&[scope], Action::Sweep).is_ok(), matches!(scope, Scope::Manage | Scope::Operate));
        assert_eq!(granted(&[scope], Action::ReadMetrics).is_ok(), scope == Scope::Operate);
        assert_eq!(Scope::from_name(scope.name()), Some(scope));
    }
    assert_eq!(granted(&[], Action::Authenticate), Ok(()));
    assert_eq!(Scope::from_name("READ"), None);
    assert_eq!(Denied::Scope(Scope::Sign).to_string(), "the credential lacks the scope sign");
}

#[test]
fn daemon_may_do_what_its_tasks_need() {
    for action in [Action::ChangeRing, Action::ReadKey, Action::ResumeRotation] {
        assert_eq!(policy::allow(&Caller::daemon(Task::Sweep), action, Resource::Daemon), Ok(()));
    }
}

/// SHA-256 of 32 times "a".
#[test]
fn hashes_are_written_as_sha256_and_hex() {
    let text = "sha256:3ba3f5f43b92602683c19aee62a20342b084dd5971ddd33808d81a328879a547";
    assert_eq!(hash(&"a".repeat(32)).to_string(), text);
    assert_eq!(SecretHash::parse(text).unwrap(), hash(&"a".repeat(32)));
    let upper = text.to_uppercase().replace("SHA256", "sha256");
    assert_eq!(SecretHash::parse(&upper).unwrap(), hash(&"a".repeat(32)));
}

#[test]
fn texts_that_are_no_hash_are_refused() {
    let good = hash(ALICE).to_string();
    let rows = [
        String::new(),
        "sha256:".to_owned(),
        good.replace("sha256", "sha512"),
        good[..good.len() - 1].to_owned(),
        format!("{good}0"),
        format!("sha256:{}", "g".repeat(64)),
        format!("sha256:{}", "+1".repeat(32)),
        format!("sha256:{}", "é".repeat(32)),
    ];
    for text in rows {
        assert_eq!(SecretHash::parse(&text).unwrap_err(), CredentialError::Hash, "{text}");
    }
}

#[test]
fn weak_secrets_are_refused() {
    let of = |text: &str| SecretHash::of(&Secret::new(text.as_bytes().to_vec()));
    assert!(of(&"a".repeat(MIN_SECRET_CHARS)).is_ok());
    for weak in ["a".repeat(MIN_SECRET_CHARS - 1), "é".repeat(32), " ".repeat(32), format!("{ALICE}\n")] {
        assert_eq!(of(&weak).unwrap_err(), CredentialError::WeakSecret);
    }
}

#[test]
fn new_secrets_are_strong_and_differ() {
    let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
    assert_eq!(one.expose().len(), 43);
    assert_ne!(one.expose(), other.expose());
    assert!(SecretHash::of(&one).is_ok());
}

#[test]
fn hashes_do_not_show_in_debug() {
    let credential = Credential { name: "alice".to_owned(), hash: hash(ALICE), scopes: vec![Scope::Read] };
    let shown = format!("{credential:?}");
    assert!(shown.contains("SecretHash(redacted)") && !shown.contains(&hash(ALICE).to_string()[7..15]), "{shown}");
}

proptest! {
    #[test]
    fn hashes_read_back(secret in "[!-~]{32,60}") {
        prop_assert_eq!(SecretHash::parse(&hash(&secret).to_string()).unwrap(), hash(&secret));
    }

    #[test]
    fn any_header_is_read_without_harm(header in any::<String>(), text in "(Basic|Bearer) [ -~]{0,40}") {
        prop_assert!(authenticator().authenticate(&header).is_none());
        prop_assert!(authenticator().authenticate(&text).is_none());
    }
}

use std::path::Path;
use std::time::Duration;

use super::openssl;
use crate::x509::{certificates, check_ca, check_trust};
use strongroom_domain::clock::{Clock, SystemClock, Timestamp};
use strongroom_domain::key::CertificateDer;

const CA: &str = "basicConstraints=critical,CA:TRUE";
const DAY: Duration = Duration::from_secs(86_400);

fn sh(at: &Path, command: &str) {
    openssl(at, &command.split_whitespace().collect::<Vec<_>>());
}

/// A certificate of `name` by `issuer`, or by itself, with one extension on each line.
fn issue(at: &Path, name: &str, issuer: &str, extensions: &str) -> CertificateDer {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    std::fs::write(at.join("ext"), format!("subjectKeyIdentifier=hash\n{extensions}\n")).unwrap();
    sh(at, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let by =
        if issuer == name { format!("-signkey {name}.key") } else { format!("-CA {issuer}.pem -CAkey {issuer}.key") };
    sh(at, &format!("x509 -req -in {name}.csr {by} -set_serial 1 -days 30 -extfile ext -out {name}.pem"));
    certificates(&std::fs::read(at.join(format!("{name}.pem"))).unwrap()).unwrap().remove(0)
}

fn now() -> Timestamp {
    SystemClock.now()
}

#[test]
fn only_a_ca_that_may_sign_certificates_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for (extensions, words) in [
        (CA.to_owned(), None),
        ("basicConstraints=CA:TRUE,pathlen:0".to_owned(), None),
        (format!("{CA}\nkeyUsage=keyCertSign,cRLSign"), None),
        (format!("{CA}\nkeyUsage=digitalSignature,cRLSign"), Some("a must not sign certificates (keyUsage)")),
        ("keyUsage=keyCertSign".to_owned(), Some("a is no certificate authority (basicConstraints)")),
        ("basicConstraints=CA:FALSE".to_owned(), Some("a is no certificate authority (basicConstraints)")),
    ] {
        let failure = check_ca(&issue(folder.path(), "a", "a", &extensions)).err().map(|failure| failure.to_string());
        assert_eq!(failure, words.map(|words| format!("CN={words}")), "{extensions}");
    }
}

#[test]
fn chain_leads_to_an_anchor_through_cas_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let root = issue(at, "root", "root", CA);
    let middle = issue(at, "middle", "root", CA);
    let leaf = issue(at, "leaf", "middle", "basicConstraints=CA:FALSE");
    let forged = issue(at, "forged", "leaf", "");
    let stranger = issue(at, "stranger", "stranger", CA);
    let trusts = |chain: &[&CertificateDer], anchor: &CertificateDer| {
        let chain: Vec<_> = chain.iter().map(|certificate| (*certificate).clone()).collect();
        check_trust(&chain, &[stranger.clone(), anchor.clone()], now()).map_err(|failure| failure.to_string())
    };
    for chain in [&[&leaf, &middle, &root][..], &[&leaf, &middle]] {
        assert_eq!(trusts(chain, &root), Ok(()));
        assert_eq!(trusts(chain, &middle), Ok(()));
    }
    assert_eq!(trusts(&[&leaf], &middle), Ok(()));
    for (chain, anchor) in [(&[&leaf][..], &root), (&[&leaf, &middle, &root], &stranger)] {
        assert!(trusts(chain, anchor).unwrap_err().contains("none of the trusted"));
    }
    let words = "CN=leaf is no certificate authority (basicConstraints)";
    assert_eq!(trusts(&[&forged, &leaf, &middle, &root], &root), Err(words.to_owned()));
    assert_eq!(trusts(&[&forged, &leaf], &middle), Err(words.to_owned()));
    // Nor does trust in what is no CA help.
    assert_eq!(trusts(&[&forged, &leaf], &leaf), Err(words.to_owned()));
    assert_eq!(trusts(&[&leaf], &leaf), Err(words.to_owned()));
}

#[test]
fn issuers_are_valid_now() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let root = issue(at, "root", "root", CA);
    let leaf = issue(at, "leaf", "root", "");
    let trust = |time| {
        check_trust(std::slice::from_ref(&leaf), std::slice::from_ref(&root), time)
            .map_err(|failure| failure.to_string())
    };
    assert_eq!(trust(now()), Ok(()));
    let words = "CN=root is not valid now".to_owned();
    assert_eq!(trust(now().plus(DAY * 31)), Err(words.clone()));
    assert_eq!(trust(Timestamp::from_micros(0)), Err(words));
}

#[test]
fn path_length_limits_the_cas_below_an_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (most, trusted) in [(0, false), (1, true)] {
        let root = issue(at, "root", "root", &format!("{CA},pathlen:{most}"));
        let middle = issue(at, "middle", "root", &format!("{CA},pathlen:0"));
        let leaf = issue(at, "leaf", "middle", "");
        let near = issue(at, "near", "root", "");
        assert_eq!(check_trust(&[near], std::slice::from_ref(&root), now()), Ok(()));
        let result = check_trust(&[leaf, middle], &[root], now());
        assert_eq!(result.is_ok(), trusted, "{result:?}");
    }
}

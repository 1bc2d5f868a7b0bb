//! Too many, too long, too late: what clients meet when they wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Configuration, Daemon, Faults, Launch, PublicKey, Scratch, Token, eventually};

fn serve(sections: &str) -> (Scratch, Faults, Daemon) {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults).with(sections);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let request = json!({"ring": "signing:a", "algorithm": "p-256"});
    daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201);
    (dir, faults, daemon)
}

fn body(message: &str) -> Value {
    json!({"algorithm": "ES256", "encoding": "der", "message": STANDARD.encode(message)})
}

fn sign(daemon: &Daemon, timeout: Option<&str>) -> Answer {
    let call = daemon.call(Method::POST, "/v1/key-rings/signing:a/sign").json(&body("m"));
    match timeout {
        Some(seconds) => call.header("Request-Timeout", seconds).send(),
        None => call.send(),
    }
}

/// The refusal of a request that may be sent again.
#[track_caller]
fn refused(answer: Answer, kind: &str) -> Value {
    let answer = answer.expect(503);
    assert!(!answer.header("retry-after").is_empty());
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:strongroom:error:{kind}"), "{problem}");
    problem
}

#[test]
fn request_timeout_that_cannot_be_is_named_and_asks_no_token() {
    let (_dir, faults, daemon) = serve("[limits]\nsign-deadline = \"20s\"");
    let before = faults.calls("C_SignInit");
    for bad in ["0", "-1", "21", "1s", "soon", "1e1", ".5"] {
        let problem = sign(&daemon, Some(bad)).expect(400).json();
        assert!(problem["detail"].as_str().unwrap().contains("Request-Timeout"), "{problem}");
    }
    let create = json!({"algorithm": "p-256"});
    let made = faults.calls("C_GenerateKeyPair");
    daemon.call(Method::POST, "/v1/keys").header("Request-Timeout", "121").json(&create).send().expect(400);
    assert_eq!((faults.calls("C_SignInit"), faults.calls("C_GenerateKeyPair")), (before, made));
    for good in ["20", "19.5"] {
        sign(&daemon, Some(good)).expect(200);
    }
}

#[test]
fn past_its_deadline_a_request_is_refused_and_what_waits_asks_no_token() {
    // The smallest queue: one turn at the token.
    let (_dir, faults, daemon) = serve("[hosts]\nsign-queue = 1\nsign-timeout = \"20s\"");
    sign(&daemon, None).expect(200);
    let before = faults.calls("C_SignInit");
    faults.set("C_Sign hang");
    let begun = Instant::now();
    refused(sign(&daemon, Some("0.3")), "deadline");
    let asked = faults.calls("C_SignInit");
    assert_eq!(asked, before + 1);
    // The token still has the first.
    refused(sign(&daemon, Some("0.3")), "deadline");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(faults.calls("C_SignInit"), asked, "the second reached the token");
    let metrics = daemon.get("/metrics").expect(200).text();
    let counted = "strongroom_turns_refused_total{work=\"sign\",principal=\"admin\",reason=\"deadline\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    faults.clear();
    eventually("signatures again", Duration::from_secs(10), || {
        (sign(&daemon, None).status.as_u16() == 200).then_some(())
    });
}

#[test]
fn credential_with_its_share_under_way_is_refused_and_another_is_served() {
    let other = "other-secret-of-a-test-0123456789abcdefgh";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, other.as_bytes());
    let hash = digest.as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let credential = format!("[[credentials]]\nname = \"other\"\nhash = \"sha256:{hash}\"\nscopes = [\"sign\"]");
    let (_dir, faults, daemon) = serve(&format!("[limits]\nsignatures-per-principal = 2\n\n{credential}"));
    sign(&daemon, None).expect(200);
    faults.set("C_Sign delay=1500 n=2");
    let problems = std::thread::scope(|scope| {
        let slow: Vec<_> = (0..2).map(|_| scope.spawn(|| sign(&daemon, None).expect(200))).collect();
        eventually("a share that is used up", Duration::from_secs(5), || {
            let metrics = daemon.get("/metrics").expect(200).text();
            metrics.contains("strongroom_pkcs11_queue_depth{queue=\"sign\"} 2").then_some(())
        });
        let refused = sign(&daemon, None);
        let call = daemon.call(Method::POST, "/v1/key-rings/signing:a/sign").bearer(other);
        call.json(&body("m")).send().expect(200);
        for slow in slow {
            slow.join().unwrap();
        }
        refused
    });
    let problem = refused(problems, "busy");
    assert!(problem["detail"].as_str().unwrap().contains('2'), "{problem}");
    sign(&daemon, None).expect(200);
}

/// A batch of the largest size: a thousand items in 8 MiB.
fn largest_batch() -> Vec<u8> {
    let item = json!({"message": STANDARD.encode([7; 6200])});
    let batch = json!({"algorithm": "ES256", "items": vec![item; 1000]}).to_string().into_bytes();
    assert!((8_200_000..8 << 20).contains(&batch.len()));
    batch
}

#[test]
fn liveness_is_answered_while_eight_batches_of_8_mib_are_under_way() {
    let (_dir, _faults, daemon) = serve("");
    let batch = largest_batch();
    let under_way = AtomicUsize::new(8);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let sent = daemon.call(Method::POST, "/v1/key-rings/signing:a/sign-batch").body(batch.clone()).send();
                under_way.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(sent.expect(200).json()["items"].as_array().map(Vec::len), Some(1000));
            });
        }
        while under_way.load(Ordering::SeqCst) > 0 {
            let begun = Instant::now();
            daemon.call(Method::GET, "/livez").anonymous().send().expect(200);
            times.push(begun.elapsed());
        }
    });
    times.sort_unstable();
    let (usual, slowest, answers) = (times[times.len() / 2], times[times.len() - 1], times.len());
    assert!(answers > 8, "{answers} answers");
    assert!(usual < Duration::from_millis(500) && slowest < Duration::from_secs(10), "{usual:?}, {slowest:?}");
}

#[test]
fn a_batch_is_refused_at_the_item_after_the_last() {
    let (_dir, faults, daemon) = serve("");
    let signed = faults.calls("C_SignInit");
    // Broken behind the thousandth item, which nobody reads.
    let surplus = format!(r#"{{"algorithm": "ES256", "items": [{}"#, "{},".repeat(2_700_000));
    let refused = daemon.call(Method::POST, "/v1/key-rings/signing:a/sign-batch").body(surplus).send().expect(422);
    let problem = refused.json();
    let violation = json!([{"path": "items", "code": "too_long", "message": "must be 1 to 1000 items."}]);
    assert_eq!(problem["violations"], violation, "{problem}");
    assert_eq!(faults.calls("C_SignInit"), signed);
}

/// The short sister of `make soak`.
#[test]
fn under_load_and_with_a_host_killed_every_signature_is_right_and_errors_are_503() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut daemon =
        Launch::serve(&Configuration::new(&dir, &token).with("[hosts]\nsigning-hosts = 2\nworkers = 1")).start();
    daemon.await_ready();
    let request = json!({"ring": "signing:a", "algorithm": "p-256"});
    let kid = daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json()["kid"].clone();
    let public = daemon.get(&format!("/v1/keys/{}/public.pem", kid.as_str().unwrap())).expect(200).text();
    let hosts = eventually("two signing hosts", Duration::from_secs(10), || {
        let hosts = daemon.signing_hosts();
        (hosts.len() == 2).then_some(hosts)
    });
    let (begun, second) = (Instant::now(), Duration::from_secs(1));
    let (kill, last, end) = (begun + 2 * second, begun + 5 * second, begun + 6 * second);
    let (before, after) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let client = |client: usize| {
        let mut lines = String::new();
        for turn in 0.. {
            let now = Instant::now();
            if now >= end {
                break;
            }
            let message = format!("{client} {turn}");
            let answer = daemon.call(Method::POST, "/v1/key-rings/signing:a/sign").json(&body(&message)).send();
            if answer.status.as_u16() != 200 {
                assert!(!answer.expect(503).header("retry-after").is_empty());
                continue;
            }
            let signature = answer.json()["signature"].as_str().unwrap().to_owned();
            lines += &[&STANDARD.encode(&message), " ", &signature, "\n"].concat();
            if (begun + second..kill).contains(&now) {
                before.fetch_add(1, Ordering::SeqCst);
            } else if now >= last {
                after.fetch_add(1, Ordering::SeqCst);
            }
        }
        lines
    };
    let signed: String = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..32).map(|n| scope.spawn(move || client(n))).collect();
        std::thread::sleep(kill.saturating_duration_since(Instant::now()));
        Daemon::kill_host(hosts[0]);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let (good, bad) = PublicKey(public).cryptography_verifies(&signed);
    assert_eq!((good, bad), (signed.lines().count(), 0));
    let (before, after) = (before.into_inner(), after.into_inner());
    assert!(before > 0 && after * 2 > before, "{before} signatures in the second before the kill, {after} in the last");
    assert_ne!(daemon.signing_hosts().first(), hosts.first());
}

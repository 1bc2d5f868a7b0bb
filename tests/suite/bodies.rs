//! Bodies under a content coding, and with a byte order mark: taken or named by every dialect.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Daemon, Launch, Scratch, key_pair};

/// A path that takes a JSON body, and one that it takes, in each dialect.
fn routes() -> [(&'static str, Value); 4] {
    [
        ("/pf-admin-api/v1/keyPairs/signing/generate", key_pair("EC", None)),
        ("/api/v2/connections/bodies/keys", json!({"signing_alg": "ES256"})),
        ("/v2/web_keys", json!({"ecdsa": {"curve": "ECDSA_CURVE_P256"}})),
        ("/v1/keys", json!({"ring": "signing:bodies", "algorithm": "p-256"})),
    ]
}

fn daemon(dir: &Scratch) -> Daemon {
    let mut daemon = Launch::dev(dir).start();
    daemon.await_ready();
    daemon
}

#[test]
fn content_coding_is_415_that_says_which_is_taken() {
    let dir = Scratch::new();
    let daemon = daemon(&dir);
    for (path, body) in routes() {
        for coding in ["gzip", "br", "identity, deflate", "zstd"] {
            let call = daemon.call(Method::POST, path).header("content-encoding", coding).json(&body);
            let refused = call.send().expect(415);
            let named = coding.rsplit(' ').next().unwrap();
            assert!(refused.text().contains(&format!("Content-Encoding {named}")), "{path}: {}", refused.text());
            assert_eq!(refused.header("accept-encoding"), "identity", "{path}");
        }
        // RFC 9110 section 12.5.3: nothing of codings where the type is at fault.
        let refused = daemon.call(Method::POST, "/v1/keys").header("content-type", "text/plain").bytes("x").send();
        assert!(refused.expect(415).headers.get("accept-encoding").is_none());
    }
}

#[test]
fn byte_order_mark_is_passed_over_and_wide_text_named() {
    let dir = Scratch::new();
    let daemon = daemon(&dir);
    for (path, body) in routes() {
        let send = |bytes: Vec<u8>| daemon.call(Method::POST, path).body(bytes).send();
        let text = body.to_string();
        for wide in [
            text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        ] {
            let refused = send(wide).expect(400);
            assert!(refused.text().contains("UTF-16"), "{path}: {}", refused.text());
        }
        let taken = send([b"\xef\xbb\xbf", text.as_bytes()].concat());
        assert!(taken.status.is_success(), "{path}: {}", taken.text());
    }
}

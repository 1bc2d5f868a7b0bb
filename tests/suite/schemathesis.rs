//! `swagger.json` held against the daemon by a generator of requests that shares no code with us.

use crate::harness::{Launch, Scratch, key_pair, python, run};

/// What no answer may be: a failure of ours, or a status, type or body that the document does not name.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn no_request_by_the_document_meets_a_server_error_or_an_undocumented_answer() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    // The id of the document's examples, so that some requests find what they name.
    let mut request = key_pair("EC", Some(256));
    request["id"] = "orders-2026".into();
    daemon.generate(&request).expect(201);
    let document = format!("{}/pf-admin-api/v1/swagger.json", daemon.base());
    let credential = format!("Authorization: Bearer {}", daemon.secret());
    let options = ["--phases", "examples,fuzzing", "--max-examples", "5", "--seed", "1", "--request-timeout", "60"];
    let mut command = python();
    command.args(["-m", "schemathesis.cli", "run", &document, "--header", &credential, "--checks", CHECKS]);
    let output = run(command.args(options).current_dir(&*dir), b"");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!said.contains("No module named"), "{said}\n`make test` installs it; by hand: pip install schemathesis");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Test cases:"), "{said}");
}

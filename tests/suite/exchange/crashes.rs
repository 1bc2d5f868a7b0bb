//! Deaths and hang-ups in the midst of an import or a link.

use std::time::Duration;

use reqwest::Method;

use super::links::{foreign_key, linked};
use super::{Bench, KEY_PAIRS, PATIENCE, hierarchy, imported, key_in_pem, text};
use crate::harness::{Configuration, Daemon, Faults, Launch, Scratch, Token, agreement_within, eventually};

#[test]
fn a_crash_at_any_step_of_an_import_loses_no_acknowledged_key() {
    for point in ["generate.reserve", "import.import", "generate.commit"] {
        for provider in ["HSM", "LOCAL"] {
            let mut bench = Bench::launched(|launch| launch.at(&format!("{point}#2=abort")));
            let pem = key_in_pem(&bench.dir);
            bench.post("signing/import", &imported("kept", "HSM", &pem)).expect(201);
            let call = bench.daemon.call(Method::POST, &format!("{KEY_PAIRS}/signing/import"));
            assert!(call.json(&imported("crashed", provider, &pem)).try_send().is_err(), "{point}");
            assert!(!bench.daemon.await_end().success(), "{point}");

            let bench = bench.restarted();
            // Past the commit the key is there although nobody was told.
            let there = point == "generate.commit";
            bench.await_finished();
            let halves = if there && provider == "HSM" { 4 } else { 2 };
            eventually("agreement of the token", PATIENCE, || (bench.token().objects().len() == halves).then_some(()));
            bench.get("signing/kept").expect(200);
            bench.get("signing/crashed").expect(if there { 200 } else { 404 });
            bench.post("signing/import", &imported("crashed", provider, &pem)).expect(if there { 422 } else { 201 });
        }
    }
}

#[test]
fn a_crash_of_the_host_after_its_import_leaves_nothing() {
    let mut bench = Bench::launched(|launch| launch.at("host.import.after=abort"));
    let pem = key_in_pem(&bench.dir);
    let answer = bench.post("signing/import", &imported("crashed", "HSM", &pem)).expect(503);
    assert!(!answer.header("retry-after").is_empty());
    bench.daemon.await_ready();
    bench.get("signing/crashed").expect(404);
    let after = agreement_within(PATIENCE, &bench.token(), &bench.database());
    assert!(after.keys().is_empty());
    let bench = bench.restarted();
    bench.post("signing/import", &imported("crashed", "HSM", &pem)).expect(201);
    assert_eq!(agreement_within(PATIENCE, &bench.token(), &bench.database()).keys().len(), 1);
}

#[test]
fn a_failure_after_the_import_is_undone_before_it_is_answered() {
    for provider in ["HSM", "LOCAL"] {
        let bench = Bench::launched(|launch| launch.at("import.import#1=fail"));
        let pem = key_in_pem(&bench.dir);
        let answer = bench.post("signing/import", &imported("again", provider, &pem));
        assert!(answer.status.is_server_error(), "{}", answer.text());
        assert_eq!(bench.token().objects(), []);
        bench.post("signing/import", &imported("again", provider, &pem)).expect(201);
    }
}

#[test]
fn a_token_that_fails_in_an_import_keeps_nothing_of_it() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let pem = key_in_pem(&dir);
    let import = |daemon: &Daemon| {
        daemon.call(Method::POST, &format!("{KEY_PAIRS}/signing/import")).json(&imported("a", "HSM", &pem)).send()
    };
    // The proof does not hold; no memory, for a wrapping key, then for the public half; no space.
    for (rules, status) in [
        ("C_Sign corrupt", 422),
        ("C_UnwrapKey rv=31\nC_CreateObject skip=1 rv=31", 503),
        ("C_CreateObject skip=1 rv=30", 503),
        ("C_CreateObject rv=31", 503),
    ] {
        faults.set(rules);
        let answer = import(&daemon);
        faults.clear();
        let answer = answer.expect(status);
        assert_eq!(answer.header("content-type"), "application/json", "{rules}");
        if status == 422 {
            assert_eq!(answer.violations(), [("fileData".to_owned(), "invalid_value".to_owned())]);
        }
        assert!(agreement_within(PATIENCE, &token, &configuration.database()).keys().is_empty(), "{rules}");
        daemon.await_ready();
    }
    import(&daemon).expect(201);
    assert_eq!(agreement_within(PATIENCE, &token, &configuration.database()).keys().len(), 1);
}

#[test]
fn a_client_that_hangs_up_during_an_import_cancels_nothing() {
    for provider in ["HSM", "LOCAL"] {
        let bench = Bench::launched(|launch| launch.at("import.import=hold:1000"));
        let pem = key_in_pem(&bench.dir);
        let call = bench.daemon.call(Method::POST, &format!("{KEY_PAIRS}/signing/import"));
        let call = call.json(&imported("mine", provider, &pem)).within(Duration::from_millis(400));
        assert!(call.try_send().is_err());
        eventually("the key pair", PATIENCE, || {
            let answer = bench.get("signing/mine");
            (answer.status.as_u16() == 200).then_some(())
        });
        assert_eq!(bench.token().objects().len(), if provider == "HSM" { 2 } else { 0 });
    }
}

#[test]
fn a_crash_in_a_link_never_costs_the_key_of_somebody_else() {
    for (point, there) in [("generate.reserve", false), ("generate.commit", true)] {
        let mut bench = Bench::launched(|launch| launch.at(&format!("{point}=abort")));
        hierarchy(&bench.dir);
        foreign_key(&bench, "a1", "EC:prime256v1");
        let request = linked("a1", &text(&bench.dir, "a1.pem"));
        let call = bench.daemon.call(Method::POST, &format!("{KEY_PAIRS}/signing/link")).json(&request);
        assert!(call.try_send().is_err(), "{point}");
        assert!(!bench.daemon.await_end().success(), "{point}");

        let bench = bench.restarted();
        bench.await_finished();
        assert_eq!(bench.token().objects().len(), 2, "both halves of the foreign key are there");
        bench.post("signing/link", &request).expect(if there { 422 } else { 201 });
        let data = bench.dir.as_os_str();
        let said = Launch::command(["reconcile".as_ref(), "--data".as_ref(), data]).run();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
}

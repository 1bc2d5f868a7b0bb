//! The store in PostgreSQL: several daemons on one database, a database that goes away, and databases that are refused.

use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::harness::{Cluster, Configuration, Daemon, Launch, SIGNING, Scratch, eventually, key_pair, store_lines};

/// What a change by another daemon may take to be seen, without any notification.
const SEEN_WITHIN: Duration = Duration::from_secs(3);

const PATIENCE: Duration = Duration::from_secs(40);

/// A daemon with LOCAL keys and its store in PostgreSQL.
fn configuration(dir: &Scratch, lines: &str) -> Configuration {
    Configuration::local(dir).stored(lines)
}

fn started(configuration: &Configuration) -> Daemon {
    let mut daemon = Launch::serve(configuration).start();
    daemon.await_ready();
    daemon
}

/// Makes a key pair that signs raw; answers its id.
fn made(daemon: &Daemon) -> String {
    daemon.generate(&request()).expect(201).id()
}

fn request() -> serde_json::Value {
    let mut request = key_pair("EC", Some(256));
    request["cryptoProvider"] = "LOCAL".into();
    request
}

fn signed(daemon: &Daemon, id: &str) -> u16 {
    let body = json!({"algorithm": "ES256", "message": "aGVsbG8="});
    daemon.call(Method::POST, &format!("/v1/key-rings/signing:{id}/sign")).json(&body).send().status.as_u16()
}

fn key_set(id: &str) -> String {
    format!("/v1/key-rings/signing:{id}/jwks.json")
}

#[test]
fn a_change_through_one_daemon_is_seen_by_the_other() {
    for direct in [true, false] {
        let dir = Scratch::new();
        // Behind a pooler nobody tells of changes: the epoch is polled.
        let pooler = if direct { "" } else { "pooler = \"transaction\"\n" };
        let lines = format!("{}{pooler}", store_lines(&dir));
        let (first, second) = (configuration(&dir, &lines), configuration(&dir, &lines).named("second"));
        let (first, second) = (started(&first), started(&second));
        for round in 0..3 {
            let id = made(&first);
            assert_eq!([signed(&first, &id), signed(&second, &id)], [200, 200], "round {round}");
            // Its answer is in the memory of both by now.
            second.get(&key_set(&id)).expect(200);
            let deleted = Instant::now();
            first.delete(&format!("{SIGNING}/{id}")).expect(204);
            eventually("the refusal of a deleted key", SEEN_WITHIN + Duration::from_secs(1), || {
                (signed(&second, &id) == 404).then_some(())
            });
            let seen = deleted.elapsed();
            assert!(seen < SEEN_WITHIN, "{seen:?}");
            second.get(&key_set(&id)).expect(404);
        }
    }
}

#[test]
fn a_database_that_goes_away_stops_signatures_and_comes_back_without_a_restart() {
    let cluster = Cluster::start();
    let dir = Scratch::new();
    let lines = format!("url = \"{}\"\nconnect-timeout = \"1s\"\n", cluster.url("strongroom", "strongroom"));
    let daemon = started(&configuration(&dir, &lines));
    let id = made(&daemon);
    assert_eq!(signed(&daemon, &id), 200);
    let fresh = daemon.get(&key_set(&id)).expect(200);
    assert!(fresh.headers.get("warning").is_none());

    // A crash: what was answered is there all the same.
    cluster.control(&["stop", "-m", "immediate"]);
    let away = Instant::now();
    eventually("the end of signatures from memory", Duration::from_secs(6), || {
        (signed(&daemon, &id) == 503).then_some(())
    });
    assert!(away.elapsed() < Duration::from_secs(6), "{:?}", away.elapsed());
    let body = json!({"algorithm": "ES256", "message": "aGVsbG8="});
    let refused = daemon.call(Method::POST, &format!("/v1/key-rings/signing:{id}/sign")).json(&body).send().expect(503);
    assert!(!refused.header("retry-after").is_empty());
    assert!(refused.text().contains("store"), "{}", refused.text());
    // A signing key that was not in memory is refused at once, a key set is fresh until its epoch is too old.
    let stale = eventually("a key set that is marked stale", Duration::from_secs(6), || {
        let answer = daemon.get(&key_set(&id)).expect(200);
        (!answer.header("warning").is_empty()).then_some(answer)
    });
    assert_eq!((stale.text(), stale.header("warning")), (fresh.text(), "110 - \"Response is Stale\""));
    assert!(stale.header("cache-control").contains("max-age=5"), "{}", stale.header("cache-control"));
    daemon.generate(&request()).expect(503);
    daemon.get("/readyz").expect(503);

    cluster.control(&["start"]);
    eventually("signatures once the database is back", PATIENCE, || (signed(&daemon, &id) == 200).then_some(()));
    made(&daemon);
    assert!(daemon.get(&key_set(&id)).expect(200).headers.get("warning").is_none());
}

#[test]
fn a_database_that_cannot_be_used_is_refused_with_words() {
    let dir = Scratch::new();
    let lines = store_lines(&dir);
    let here = configuration(&dir, &lines);
    let check = |configuration: &Configuration| {
        let done = Launch::command(["check".as_ref(), "--config".as_ref(), configuration.write().as_os_str()]).run();
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (fine, said) = check(&here);
    assert!(fine && said.contains("is not there yet; the first start makes it"), "{said}");
    drop(started(&here));
    let (fine, said) = check(&here);
    assert!(fine && said.contains("opened, store id"), "{said}");

    let id = "00000000-0000-4000-8000-000000000000";
    for (lines, words) in [
        (lines.replace("/strongroom\"", "/elsewhere\""), "database \"elsewhere\" does not exist"),
        (lines.replace("strongroom@", "nobody@"), "role \"nobody\" does not exist"),
        (lines.replace("%2Fpostgres", "%2Fnowhere"), "No such file or directory"),
        (format!("{lines}password-file = \"/nowhere/password\"\n"), "/nowhere/password"),
        (format!("{lines}id = \"{id}\"\n"), "the configuration names the store 00000000"),
    ] {
        let there = configuration(&dir, &lines).named("there");
        let (fine, said) = check(&there);
        assert!(!fine && said.contains(words), "{words} is not in: {said}");
        let path = there.write();
        let started = Launch::command(["serve".as_ref(), "--config".as_ref(), path.as_os_str()]).run();
        let log = String::from_utf8_lossy(&started.stderr).into_owned();
        // The log has quotes escaped.
        let said = log.replace('\\', "");
        assert!(!started.status.success() && said.contains(words), "{words} is not in: {log}");
    }
}

/// A pgbouncer before a cluster; it ends with this value.
struct Bouncer(std::process::Child);

impl Bouncer {
    fn start(cluster: &Cluster, mode: &str) -> (Self, String) {
        use crate::harness::as_postgres;
        let place = cluster.directory();
        let (ini, directory) = (place.join(format!("{mode}.ini")), place.join(mode));
        let text = format!(
            "[databases]\nstrongroom = host={socket} port=5432 dbname=strongroom\n[pgbouncer]\nlisten_addr =\n\
             unix_socket_dir = {directory}\nlisten_port = 6432\nauth_type = any\npool_mode = {mode}\n\
             default_pool_size = 4\nlogfile = {directory}/log\n\
             [users]\n",
            socket = place.display(),
            directory = directory.display(),
        )
        .replace("strongroom = host", "strongroom = user=strongroom host");
        std::fs::write(&ini, text).unwrap();
        let prepared = as_postgres("mkdir").arg("-m").arg("711").arg(&directory).status();
        assert!(prepared.unwrap().success());
        let child = as_postgres("/usr/sbin/pgbouncer").arg(&ini).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let bouncer = Self(child.unwrap());
        eventually("pgbouncer", PATIENCE, || directory.join(".s.PGSQL.6432").exists().then_some(()));
        let socket = directory.display().to_string().replace('/', "%2F");
        (bouncer, format!("url = \"postgres://strongroom@{socket}:6432/strongroom\"\npooler = \"transaction\"\n"))
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // `runuser` passes the signal on.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn behind_pgbouncer_everything_works_by_transaction_and_nothing_by_statement() {
    let cluster = Cluster::start();
    let dir = Scratch::new();
    let (_bouncer, lines) = Bouncer::start(&cluster, "transaction");
    let direct = cluster.url("strongroom", "strongroom");
    let lines = format!("{lines}connections = 20\nlisten-url = \"{direct}\"\n");
    let (first, second) = (configuration(&dir, &lines), configuration(&dir, &lines).named("second"));
    let (first, second) = (started(&first), started(&second));
    // More at once than the pooler has connections.
    let ids: Vec<String> = std::thread::scope(|scope| {
        let clients = (0..24).map(|n| {
            scope.spawn({
                let daemon = [&first, &second][n % 2];
                move || made(daemon)
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for id in &ids {
        assert_eq!([signed(&first, id), signed(&second, id)], [200, 200]);
    }
    first.delete(&format!("{SIGNING}/{}", ids[0])).expect(204);
    eventually("the refusal of a deleted key", SEEN_WITHIN, || (signed(&second, &ids[0]) == 404).then_some(()));

    let (_statements, lines) = Bouncer::start(&cluster, "statement");
    let refused = configuration(&dir, &lines).named("third");
    let done = Launch::command(["check".as_ref(), "--config".as_ref(), refused.write().as_os_str()]).run();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(!done.status.success() && said.contains("pool_mode = transaction"), "{said}");
}

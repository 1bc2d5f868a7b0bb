//! Private halves of LOCAL keys: what openssl calls private is looked for in every file of the daemon.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Configuration, Daemon, Launch, SIGNING, Scratch, Token, eventually, key_pair, openssl, python, rows, run,
};
use crate::hybrid::SEALED_BY_TOKEN;

const PASSWORD: &str = "password-of-a-file";

/// A private number of a key: `prime1` of `rsa`.
struct Part {
    name: String,
    bytes: Vec<u8>,
}

/// How long a piece of a trace has to be found.
const TRACE: usize = 12;

/// What is left of private numbers in a text: pieces of them in clear, in hex and in base64 at
/// each of its three offsets.
#[derive(Default)]
struct Traces {
    names: HashMap<Vec<u8>, String>,
    /// Whether one begins with two bytes, by these: few places need a closer look.
    begins: HashSet<[u8; 2]>,
}

impl Traces {
    fn of(parts: &[Part]) -> Self {
        let mut traces = Self::default();
        for part in parts {
            for piece in part.bytes.chunks_exact(16) {
                let hex = hex(piece);
                for form in [piece.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()] {
                    traces.add(&form, part);
                }
                for start in 0..3 {
                    traces.add(STANDARD.encode(&piece[start..start + 9]).as_bytes(), part);
                }
            }
        }
        traces
    }

    fn add(&mut self, form: &[u8], part: &Part) {
        self.names.insert(form[..TRACE].to_vec(), part.name.clone());
        self.begins.insert([form[0], form[1]]);
    }

    /// The private number that stands in a text, if one does.
    fn find(&self, text: &[u8]) -> Option<&str> {
        let begins = |window: &&[u8]| self.begins.contains(&[window[0], window[1]]);
        text.windows(TRACE).filter(begins).find_map(|window| self.names.get(window)).map(String::as_str)
    }
}

/// The private numbers of a key in PEM under the password, in the words of openssl.
fn private_parts(client: &Path, id: &str, file: &str) -> Vec<Part> {
    let shown = openssl(client, &format!("pkey -in {file} -passin pass:{PASSWORD} -noout -text"));
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let private = ["priv", "privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient"];
    let mut parts: Vec<Part> = Vec::new();
    let mut within = false;
    for line in shown.lines() {
        if let Some(digits) = line.strip_prefix("    ") {
            let bytes = digits.split(':').filter_map(|digits| u8::from_str_radix(digits, 16).ok());
            parts.last_mut().filter(|_| within).into_iter().for_each(|part| part.bytes.extend(bytes.clone()));
        } else {
            let name = line.trim_end_matches(':');
            within = private.contains(&name);
            if within {
                parts.push(Part { name: format!("{name} of {id}"), bytes: Vec::new() });
            }
        }
    }
    for part in &mut parts {
        // Numbers are stored without the zeros that they may begin with.
        let zeros = part.bytes.iter().take_while(|byte| **byte == 0).count();
        part.bytes.drain(..zeros);
        assert!(part.bytes.len() >= 24, "{} in {shown}", part.name);
    }
    parts
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Every file under a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A daemon with a temporary directory of its own, and apart from it the files of its client.
struct Bench {
    dir: Scratch,
    client: Scratch,
    configuration: Configuration,
    daemon: Daemon,
    parts: Vec<Part>,
}

impl Bench {
    fn new(configure: impl FnOnce(&Path, &Token) -> Configuration) -> Self {
        let (dir, client) = (Scratch::new(), Scratch::new());
        let configuration = configure(&dir, &Token::fresh(&dir));
        fs::create_dir(dir.join("tmp")).unwrap();
        let daemon = Self::start(&dir, &configuration);
        Self { dir, client, configuration, daemon, parts: Vec::new() }
    }

    fn start(dir: &Path, configuration: &Configuration) -> Daemon {
        let mut daemon = Launch::serve(configuration).env("TMPDIR", dir.join("tmp")).start();
        daemon.await_ready();
        daemon
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.daemon.call(Method::POST, &format!("{SIGNING}/{path}")).json(body).send()
    }

    fn import(&self, id: &str, file: &str) {
        let data = STANDARD.encode(fs::read(self.client.join(file)).unwrap());
        let body = json!({"id": id, "fileData": data, "password": PASSWORD, "cryptoProvider": "LOCAL"});
        self.post("import", &body).expect(201);
    }

    /// Exports a key both ways, and learns its private numbers.
    fn export(&mut self, id: &str) {
        let password = json!({"password": PASSWORD});
        let pem = self.post(&format!("{id}/pem"), &password).expect(200).body;
        self.post(&format!("{id}/pkcs12"), &password).expect(200);
        let file = format!("{id}.exported");
        fs::write(self.client.join(&file), pem).unwrap();
        self.parts.extend(private_parts(&self.client, id, &file));
    }

    /// Nothing private stands in any file of the daemon, nor in what it says; nothing lies in its
    /// temporary directory.
    #[track_caller]
    fn assert_nothing_is_found(&self, after: &str) {
        let temporary = files(&self.dir.join("tmp"));
        assert!(temporary.is_empty(), "{temporary:?} after {after}");
        let mut texts: Vec<_> =
            files(&self.dir).into_iter().map(|file| (file.display().to_string(), fs::read(file))).collect();
        texts.push(("the log".to_owned(), Ok((self.daemon.log() + &self.daemon.said()).into_bytes())));
        assert!(texts.iter().any(|(file, _)| file.ends_with("serve.db-wal")), "the log of the store is looked at");
        let traces = Traces::of(&self.parts);
        for (file, text) in texts {
            // A file of the store may vanish while they are read.
            let Ok(text) = text else { continue };
            assert_eq!(traces.find(&text), None, "{file} after {after}");
        }
    }

    /// Copies the store as operators do while the daemon runs.
    fn back_up(&self, statement: &str, name: &str) -> PathBuf {
        let copy = self.dir.join(name);
        let program = format!("import sqlite3, sys\nstore = sqlite3.connect(sys.argv[1])\n{statement}");
        let output = run(python().arg("-c").arg(program).arg(self.configuration.database()).arg(&copy), b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        copy
    }

    fn rotate(&self) {
        let file = self.configuration.write();
        let arguments = ["local".as_ref(), "rotate-master".as_ref(), "--config".as_ref(), file.as_os_str()];
        let output = Launch::command(arguments).env("TMPDIR", self.dir.join("tmp")).run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn nothing_private_is_found(configure: impl FnOnce(&Path, &Token) -> Configuration) {
    let mut bench = Bench::new(configure);
    let algorithms =
        [("rsa", "RSA", Some(2048)), ("ec", "EC", Some(256)), ("large", "EC", Some(521)), ("ed", "Ed25519", None)];
    for (id, algorithm, size) in algorithms {
        let mut request = key_pair(algorithm, size);
        request["id"] = id.into();
        request["cryptoProvider"] = "LOCAL".into();
        bench.post("generate", &request).expect(201);
        bench.export(id);
        bench.assert_nothing_is_found("generation and export");
    }
    for (name, options) in [("brought-ec", "ec -pkeyopt ec_paramgen_curve:P-384"), ("brought-rsa", "rsa:2048")] {
        let certificate = format!("-out {name}.pem -subj /CN=x");
        openssl(&bench.client, &format!("req -x509 -newkey {options} -nodes -keyout {name}.key {certificate}"));
        let out = format!("-passout pass:{PASSWORD} -out {name}.p12");
        openssl(&bench.client, &format!("pkcs12 -export -inkey {name}.key -in {name}.pem {out}"));
        let pem = ["key", "pem"].map(|end| fs::read(bench.client.join(format!("{name}.{end}"))).unwrap());
        fs::write(bench.client.join(format!("{name}.both")), pem.concat()).unwrap();
        bench.parts.extend(private_parts(&bench.client, name, &format!("{name}.key")));
        for form in ["p12", "both"] {
            bench.import(&format!("{name}-{form}"), &format!("{name}.{form}"));
            bench.assert_nothing_is_found("import");
        }
        bench.export(&format!("{name}-p12"));
    }
    assert_eq!(bench.parts.len(), 3 * 6 + 5, "six numbers of each RSA key, one of each other");

    let backups = [
        bench.back_up("store.backup(sqlite3.connect(sys.argv[2]))", "before.db"),
        bench.back_up("store.execute('VACUUM INTO ?', (sys.argv[2],))", "vacuumed.db"),
    ];
    bench.assert_nothing_is_found("backups");
    bench.rotate();
    bench.assert_nothing_is_found("rotation of the master key");
    bench.daemon.delete(&format!("{SIGNING}/rsa")).expect(204);
    let finished = || rows(&bench.configuration.database()).iter().all(|row| !row.is_unfinished());
    eventually("the end of the deletion", std::time::Duration::from_secs(20), || finished().then_some(()));
    bench.assert_nothing_is_found("deletion");

    // A backup, its master key and all, is what the store was.
    let Bench { dir, client, configuration, daemon, .. } = bench;
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    for backup in backups {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", configuration.database().display()));
        }
        fs::copy(&backup, configuration.database()).unwrap();
        let daemon = Bench::start(&dir, &configuration);
        let path = format!("{SIGNING}/rsa/pem");
        let pem = daemon.call(Method::POST, &path).json(&json!({"password": PASSWORD})).send().expect(200).body;
        fs::write(client.join("restored"), pem).unwrap();
        let public = |file: &str| openssl(&client, &format!("pkey -in {file} -passin pass:{PASSWORD} -pubout"));
        assert_eq!(public("restored"), public("rsa.exported"));
        assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    }
}

#[test]
fn no_file_holds_private_halves_that_a_key_file_seals() {
    nothing_private_is_found(|dir, _| Configuration::local(dir));
}

#[test]
fn no_file_holds_private_halves_that_the_token_seals() {
    nothing_private_is_found(|dir, token| Configuration::new(dir, token).with(SEALED_BY_TOKEN));
}

#[test]
fn private_parts_are_found_where_they_stand() {
    let client = Scratch::new();
    for (kind, count) in [("rsa:2048", 6), ("ec -pkeyopt ec_paramgen_curve:P-256", 1), ("ed25519", 1)] {
        openssl(&client, &format!("req -x509 -newkey {kind} -nodes -keyout key -out certificate -subj /CN=x"));
        let parts = private_parts(&client, kind, "key");
        assert_eq!(parts.len(), count, "{kind}");
        let der = openssl(&client, "pkcs8 -topk8 -nocrypt -in key -outform DER");
        let hex = hex(&der);
        let certificate = fs::read(client.join("certificate")).unwrap();
        for part in parts {
            let traces = Traces::of(std::slice::from_ref(&part));
            for text in [&der, hex.as_bytes(), STANDARD.encode(&der).as_bytes()] {
                assert_eq!(traces.find(text), Some(part.name.as_str()));
            }
            assert_eq!(traces.find(&certificate), None);
        }
    }
}

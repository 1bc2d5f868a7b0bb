//! Rotation: the clock moved through whole lives of keys, crashes on the way, several daemons.

mod clock;
mod commands;
mod crashes;
mod daemons;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Configuration, Daemon, Launch, SIGNING, Scratch, Token, agreement_within, eventually, key_pair, values,
};

const PATIENCE: Duration = Duration::from_secs(40);
const DAY: u64 = 86_400;
/// Sweeps every second and a clock that may leap.
const OFTEN: &str = "[rotation]\ninterval = \"1s\"\nclock-guard = \"10000days\"";
/// Sweeps by command only.
const NEVER: &str = "[rotation]\nenabled = false";
const SWEEP: &str = "/v1/rotation/sweep";

/// A token, a store, and a clock that runs ahead.
struct World {
    dir: Scratch,
    token: Token,
    configuration: Configuration,
}

impl World {
    fn new(sections: &str) -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let configuration = Configuration::new(&dir, &token).with(sections);
        let world = Self { dir, token, configuration };
        world.set_clock(0);
        world
    }

    /// The clock so many days ahead of that of the machine.
    fn set_clock(&self, days: u64) {
        let (file, new) = (self.clock(), self.dir.join("clock.new"));
        fs::write(&new, (days * DAY * 1_000_000).to_string()).expect("the clock's file");
        fs::rename(new, file).expect("the clock's file");
    }

    fn clock(&self) -> PathBuf {
        self.dir.join("clock")
    }

    fn launch(&self) -> Launch {
        Launch::serve(&self.configuration).env("STRONGROOM_TEST_CLOCK", self.clock())
    }

    fn start(&self) -> Daemon {
        let mut daemon = self.launch().start();
        daemon.await_ready();
        daemon
    }

    /// Runs `daemon rotation COMMAND` by the same clock.
    fn command(&self, command: &str, more: &[&str]) -> (bool, String) {
        let file = self.configuration.write();
        let args = ["rotation".as_ref(), command.as_ref(), "--config".as_ref(), file.as_os_str()];
        let mut launch = Launch::command(args).env("STRONGROOM_TEST_CLOCK", self.clock());
        for arg in more {
            launch = launch.arg(arg);
        }
        let output = launch.run();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), text)
    }

    /// The states of the ring's key pairs that are visible or unfinished, sorted.
    fn states(&self) -> Vec<String> {
        let sql = "SELECT state FROM key_pairs WHERE ring = 'signing:r' AND state <> 'Destroyed' ORDER BY state";
        values(&self.configuration.database(), sql)
    }

    fn await_states(&self, expected: &[&str]) {
        let what = format!("{expected:?}");
        eventually(&what, PATIENCE, || (self.states() == expected).then_some(()));
    }

    /// What the trail says of an action, word for word.
    fn details(&self, sql: &'static str) -> Vec<String> {
        values(&self.configuration.database(), sql)
    }

    fn agree(&self) {
        agreement_within(PATIENCE, &self.token, &self.configuration.database());
    }
}

/// Makes the key pair `id`, valid for a year, to be succeeded 90 and 30 days before its end.
fn make_rotating(daemon: &Daemon, id: &str) {
    let mut request = key_pair("EC", Some(256));
    request["id"] = id.into();
    daemon.generate(&request).expect(201);
    let settings = json!({ "creationBufferDays": 90, "activationBufferDays": 30 });
    let path = format!("{SIGNING}/{id}/rotationSettings");
    daemon.call(Method::PUT, &path).json(&settings).send().expect(200);
}

fn view(daemon: &Daemon) -> Value {
    daemon.get(&format!("{SIGNING}/r")).expect(200).json()
}

fn sweep(daemon: &Daemon) -> Value {
    daemon.call(Method::POST, SWEEP).send().expect(200).json()
}

/// The kinds of the steps of a sweep's answer.
fn kinds(answer: &Value) -> Vec<&str> {
    answer["steps"].as_array().unwrap().iter().map(|step| step["kind"].as_str().unwrap()).collect()
}

//! The image: starts, generates, keeps its keys in its volume.
//!
//! Needs a container engine and minutes for the build, so it runs under
//! `make test-containers` only; `make test` says in its closing line that it did not.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use testcontainers::core::{IntoContainerPort as _, Mount, WaitFor};
use testcontainers::runners::{AsyncBuilder as _, AsyncRunner as _};
use testcontainers::{ContainerAsync, GenericBuildableImage, GenericImage, ImageExt as _};

use crate::harness::{Answer, Call, GENERATE, SIGNING, block_on, eventually, key_pair};

const SECRET: &str = "admin-secret-of-a-container-0123456789";
const PORT: u16 = 9980;

/// What the build of the image reads; the rest of the checkout stays outside.
const CONTEXT: [&str; 5] = ["Cargo.toml", "Cargo.lock", "src", "tests", "softhsm"];

#[test]
fn the_image_generates_and_survives_a_restart_with_its_volume() {
    if std::env::var_os("STRONGROOM_CONTAINERS").is_none() {
        eprintln!("not run: `make test-containers` runs the containers where an engine is");
        return;
    }
    let image = block_on(build());
    let volume = format!("strongroom-test-{}", std::process::id());
    let first = Running::start(&image, &volume);
    let made = first.call(Method::POST, GENERATE).json(&key_pair("EC", None)).send().expect(201).json();
    first.stop();

    let second = Running::start(&image, &volume);
    let path = format!("{SIGNING}/{}", made["id"].as_str().unwrap());
    assert_eq!(second.call(Method::GET, &path).send().expect(200).json(), made);
    second.call(Method::POST, GENERATE).json(&key_pair("RSA", None)).send().expect(201);
    let list: Value = second.call(Method::GET, SIGNING).send().expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_ne!(second.user(), "0", "the daemon does not run as root");
    second.stop();
}

async fn build() -> GenericImage {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut image =
        GenericBuildableImage::new("strongroom-test", "latest").with_dockerfile(root.join("softhsm/Containerfile"));
    for path in CONTEXT {
        image = image.with_file(root.join(path), path);
    }
    image.build_image().await.expect("the image builds")
}

struct Running {
    container: ContainerAsync<GenericImage>,
    base: String,
}

impl Running {
    fn start(image: &GenericImage, volume: &str) -> Self {
        let request = image
            .clone()
            .with_exposed_port(PORT.tcp())
            .with_wait_for(WaitFor::message_on_stdout("strongroom is ready at"))
            .with_env_var("STRONGROOM_ADMIN_TOKEN", SECRET)
            .with_mount(Mount::volume_mount(volume, "/var/lib/strongroom"))
            .with_startup_timeout(Duration::from_secs(120));
        let container = block_on(request.start()).expect("the container starts");
        let port = block_on(container.get_host_port_ipv4(PORT.tcp())).expect("its port");
        let running = Self { container, base: format!("http://127.0.0.1:{port}") };
        eventually("readiness", Duration::from_secs(60), || {
            let answer: Answer = running.call(Method::GET, "/readyz").try_send().ok()?;
            (answer.status.as_u16() == 200).then_some(())
        });
        running
    }

    fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&reqwest::Client::new(), method, format!("{}{path}", self.base), SECRET)
    }

    /// The user id that the daemon runs under.
    fn user(&self) -> String {
        let command = testcontainers::core::ExecCommand::new(["id", "-u"]);
        let mut result = block_on(self.container.exec(command)).expect("a command in the container");
        String::from_utf8_lossy(&block_on(result.stdout_to_vec()).expect("its output")).trim().to_owned()
    }

    fn stop(self) {
        block_on(self.container.stop_with_timeout(Some(30))).expect("the container stops");
        block_on(self.container.rm()).expect("the container goes");
    }
}

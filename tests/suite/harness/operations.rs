//! Every operation that a daemon describes and asks credentials for.

use reqwest::Method;
use serde_json::{Value, json};

use super::daemon::Daemon;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the OpenAPI document, at a path whose variable segments are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub method: Method,
    pub path: String,
    /// The dialect that it belongs to.
    pub tag: String,
    pub has_body: bool,
}

/// The operations of the served document, without those that are open to all.
pub fn operations(daemon: &Daemon) -> Vec<Operation> {
    let document = daemon.call(Method::GET, "/openapi.json").anonymous().send().expect(200).json();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS {
            let operation = &item[method];
            if operation.is_object() && operation["security"] != json!([{}]) {
                found.push(operation_at(method, path, operation));
            }
        }
    }
    found
}

fn operation_at(method: &str, path: &str, operation: &Value) -> Operation {
    let filled = |segment: &str| match segment {
        "{ring}" => "signing:a".to_owned(),
        variable if variable.starts_with('{') => "a".to_owned(),
        other => other.to_owned(),
    };
    Operation {
        method: method.to_uppercase().parse().expect("a method"),
        path: path.split('/').map(filled).collect::<Vec<_>>().join("/"),
        tag: operation["tags"][0].as_str().expect("a tag").to_owned(),
        has_body: operation["requestBody"].is_object(),
    }
}

//! Makes a key in a token, signs with it, and destroys it.
//!
//! ```sh
//! cargo run -p strongroom-token --example sign -- /usr/lib/softhsm/libsofthsm2.so LABEL PIN-FILE
//! ```
//!
//! The program is its own token host: the client starts it again with the argument `host`.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs};

use strongroom_domain::key::{KeyAlgorithm, KeyUse, Locator, SignatureAlgorithm};
use strongroom_token::{
    HostCommand, HostOptions, KeyTemplate, PinSource, Profile, SignInput, TokenAccess, TokenClient, TokenKey,
    TokenOptions, TokenSelector,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [host] if host == "host" => Ok(strongroom_token::host::main()?),
        [module, label, pin_file] => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(sign(module, label, pin_file))
        }
        _ => Err("usage: sign MODULE LABEL PIN-FILE".into()),
    }
}

async fn sign(module: &str, label: &str, pin_file: &str) -> Result<(), Box<dyn Error>> {
    let state_dir = env::temp_dir().join("strongroom-token-example");
    fs::create_dir_all(&state_dir)?;
    let client = TokenClient::start(TokenOptions {
        command: HostCommand::new(env::current_exe()?).arg("host"),
        token: TokenAccess {
            module: module.into(),
            selector: TokenSelector::Label(label.to_owned()),
            pin: PinSource::File(pin_file.into()),
            profile: Profile::Generic,
            // Hosts inherit nothing: what the module needs is named.
            environment: env::vars().filter(|(name, _)| name == "SOFTHSM2_CONF").collect::<BTreeMap<_, _>>(),
        },
        hosts: HostOptions::default(),
        state_dir,
        pins: None,
    });
    // Only an operator could mend what `verdict` tells; anything else may pass.
    while client.token_facts().is_none() {
        if let Some(verdict) = client.verdict() {
            return Err(verdict.into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (locator, label) = (Locator::new()?, "sr:example".to_owned());
    let template = KeyTemplate {
        locator: locator.clone(),
        label: label.clone(),
        algorithm: KeyAlgorithm::P256,
        key_use: KeyUse::Sign,
    };
    let made = client.generate(template, Instant::now() + Duration::from_secs(60)).await?;
    println!("made      {locator}: {}", made.attestation);
    let key = TokenKey { locator: locator.clone(), algorithm: KeyAlgorithm::P256, spki: made.spki };
    let message = SignInput::Message(b"hello".to_vec());
    let signature = client.sign(&key, SignatureAlgorithm::ECDSA_SHA256, message).await?;
    println!("signed    {} bytes", signature.raw().len());
    println!("destroyed {} objects", client.destroy(&locator, &label).await?.objects);
    client.stop().await;
    Ok(())
}

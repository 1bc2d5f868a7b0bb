//! The program `strongroom`.

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("token-host") => Ok(strongroom::provider::pkcs11::host::run()?),
        _ => anyhow::bail!("only `token-host` is here yet"),
    }
}

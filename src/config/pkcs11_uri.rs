//! PKCS#11 URIs (RFC 7512), as far as they name a token.

use percent_encoding::percent_decode_str;

use super::TokenSelector;

/// The token that a URI names.
///
/// # Errors
/// A sentence on what is wrong with it.
pub(super) fn parse(uri: &str) -> Result<TokenSelector, String> {
    let path = uri.strip_prefix("pkcs11:").ok_or("a PKCS#11 URI begins with `pkcs11:`")?;
    if path.contains('?') {
        return Err("query attributes are given as keys of their own (module, pin-file)".to_owned());
    }
    let (mut token, mut serial, mut manufacturer, mut model) = (None, None, None, None);
    for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
        let (name, value) = attribute.split_once('=').ok_or_else(|| format!("`{attribute}` has no value"))?;
        let place = match name {
            "token" => &mut token,
            "serial" => &mut serial,
            "manufacturer" => &mut manufacturer,
            "model" => &mut model,
            _ => return Err(format!("`{name}` does not name a token; token, serial, manufacturer and model do")),
        };
        let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("`{name}` is not UTF-8"))?;
        if place.replace(value.into_owned()).is_some() {
            return Err(format!("`{name}` is given twice"));
        }
    }
    if token.is_none() && serial.is_none() {
        return Err("the URI names neither `token` nor `serial`".to_owned());
    }
    Ok(TokenSelector::Uri { token, serial, manufacturer, model })
}

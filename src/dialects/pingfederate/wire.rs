//! Parts that several requests have in common.

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use super::members::required;
use strongroom_domain::error::Violation;
use strongroom_domain::key::ProviderKind;
use strongroom_domain::secret::Secret;

/// Who is to hold the private key; a choice only in hybrid mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum CryptoProvider {
    Local,
    Hsm,
}

impl From<CryptoProvider> for ProviderKind {
    fn from(wire: CryptoProvider) -> Self {
        match wire {
            CryptoProvider::Local => Self::Local,
            CryptoProvider::Hsm => Self::Hsm,
        }
    }
}

/// Text that is in no log and in no error, not even where it is of a wrong type.
#[derive(Debug)]
pub(super) struct HiddenText(Secret);

impl<'de> Deserialize<'de> for HiddenText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer).map_err(|_| de::Error::custom("expected a string"))?;
        Ok(Self(Secret::new(text.into_bytes())))
    }
}

impl HiddenText {
    /// The bytes of the text.
    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// A text that has to be there; one that is empty is not.
    pub(super) fn required(given: Option<Self>, path: &str, findings: &mut Vec<Violation>) -> Option<Secret> {
        let given = given.filter(|text| !text.expose().is_empty());
        if given.is_none() {
            required(path, findings);
        }
        given.map(|text| text.0)
    }
}

/// A reference to another resource.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResourceLink {
    /// Id of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true, example = "web-2026")]
    pub id: Option<String>,
    /// Where the resource is; ignored in requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/pf-admin-api/v1/keyPairs/sslServer/web-2026")]
    pub location: Option<String>,
}

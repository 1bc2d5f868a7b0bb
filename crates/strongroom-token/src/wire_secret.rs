//! A secret on its way between client and token host: serialised for that one way, wiped
//! when dropped, redacted when printed.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use strongroom_domain::secret::Secret;

/// Secret bytes in a frame.
pub(crate) struct WireSecret(Zeroizing<Vec<u8>>);

impl WireSecret {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Secret> for WireSecret {
    fn from(secret: Secret) -> Self {
        Self::new(secret.expose().to_vec())
    }
}

impl From<WireSecret> for Secret {
    fn from(mut carried: WireSecret) -> Self {
        Self::new(std::mem::take(&mut *carried.0))
    }
}

impl fmt::Debug for WireSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried(redacted)")
    }
}

impl Serialize for WireSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(self.0.as_slice(), serializer)
    }
}

impl<'de> Deserialize<'de> for WireSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::deserialize(deserializer).map(Self::new)
    }
}

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod key_sets;
mod properties;

use std::time::Duration;

use crate::services::rotation::policy::{OnOverlapEnd, Policy, Schedule};
use crate::services::rotation::tests::*;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyPair, KeyState, KeyUse, ProviderKind, RingId, SignatureAlgorithm, SpkiDer,
};

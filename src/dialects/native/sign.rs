//! Signatures by a key, or by the Active key of a ring: one, a batch, and their verification.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ItemProblem;
use super::input::{Item, decode, encode};
use crate::auth::Caller;
use crate::http::Services;
use crate::http::at_most::{self, AtMost};
use crate::http::rendered::rendered;
use crate::services::signing::{PresentedSignature, Target};
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};
use strongroom_domain::key::{Signature, SignatureAlgorithm};
use strongroom_formats::x509;

/// The most items of a batch.
const ITEMS: usize = 1000;

/// Signatures that cost as much to render as an entry of a list.
const SIGNATURES_AN_ENTRY: usize = 16;

/// The form of an ECDSA signature; the others have but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    /// `Ecdsa-Sig-Value` (RFC 3279), as X.509 and JCA have it.
    Der,
    /// `r || s`, as JOSE and PKCS#11 have it.
    Raw,
}

impl Encoding {
    /// What was asked for, or what is usual where the algorithm's name comes from.
    fn or_usual(asked: Option<Self>, algorithm: &str) -> Self {
        let usual = if SignatureAlgorithm::from_jca_name(algorithm).is_some() { Self::Der } else { Self::Raw };
        asked.unwrap_or(usual)
    }

    fn write(self, signature: &Signature) -> Result<String, Error> {
        match self {
            Self::Raw => Ok(encode(signature.raw())),
            Self::Der => x509::encode(signature)
                .map(|der| encode(&der))
                .map_err(|failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure)),
        }
    }
}

/// Something to be signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SignRequest {
    /// JOSE or JCA name.
    #[schema(example = "ES256")]
    algorithm: String,
    /// Base64 or base64url, at most 64 KiB of bytes; exactly one of `message` and `digest`.
    #[schema(nullable = false, example = "aGVsbG8=")]
    message: Option<String>,
    /// Base64 or base64url, as long as the algorithm's hash.
    #[schema(nullable = false)]
    digest: Option<String>,
    /// `raw` when absent and the algorithm has its JOSE name, else `der`.
    #[schema(nullable = false)]
    encoding: Option<Encoding>,
}

/// A signature.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignAnswer {
    /// Public name of the key that signed.
    kid: String,
    /// As it was asked for.
    #[schema(example = "ES256")]
    algorithm: String,
    /// Base64.
    signature: String,
}

/// Signs one input.
pub(super) async fn sign(
    services: &Services,
    caller: &Caller,
    target: &Target,
    request: SignRequest,
) -> Result<SignAnswer, Error> {
    let SignRequest { algorithm, message, digest, encoding } = request;
    let input = Item { message, digest }.read()?;
    let signed = services.signing.sign(caller, target, &algorithm, input).await?;
    let signature = Encoding::or_usual(encoding, &algorithm).write(&signed.signature)?;
    Ok(SignAnswer { kid: signed.key.kid.to_string(), algorithm, signature })
}

/// Things to be signed in the same way.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BatchRequest {
    /// JOSE or JCA name.
    #[schema(example = "ES256")]
    algorithm: String,
    /// `raw` when absent and the algorithm has its JOSE name, else `der`.
    #[schema(nullable = false)]
    encoding: Option<Encoding>,
    #[schema(value_type = Vec<Item>, min_items = 1, max_items = 1000)]
    items: AtMost<Item, ITEMS>,
}

/// Signatures, in the order of what was to be signed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchAnswer {
    /// Public name of the key that signed.
    kid: String,
    /// As it was asked for.
    #[schema(example = "ES256")]
    algorithm: String,
    items: Vec<BatchItem>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum BatchItem {
    Signed {
        /// Base64.
        signature: String,
    },
    Failed {
        error: ItemProblem,
    },
}

/// Signs up to 1,000 inputs; one that fails, fails alone.
pub(super) async fn sign_batch(
    services: &Services,
    caller: &Caller,
    target: &Target,
    request: BatchRequest,
) -> Result<Response, Error> {
    let BatchRequest { algorithm, encoding, items: AtMost(items) } = request;
    if items.is_empty() {
        return Err(Error::invalid(vec![Violation::at("items", Rule::TooLong, at_most::refusal(ITEMS))]));
    }
    let encoding = Encoding::or_usual(encoding, &algorithm);
    let bytes = items.iter().map(Item::length).sum();
    let inputs = services.documents.run_sized(bytes, move || items.iter().map(Item::read).collect()).await?;
    let (key, signatures) = services.signing.sign_batch(caller, target, &algorithm, inputs).await?;
    let length = signatures.len().div_ceil(SIGNATURES_AN_ENTRY);
    let answer = move || {
        let items = signatures.into_iter().map(|outcome| match outcome.and_then(|signed| encoding.write(&signed)) {
            Ok(signature) => BatchItem::Signed { signature },
            Err(failure) => BatchItem::Failed { error: ItemProblem::of(&failure) },
        });
        Ok(BatchAnswer { kid: key.kid.to_string(), items: items.collect(), algorithm })
    };
    rendered(services, length, answer).await
}

/// A signature to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VerifyRequest {
    /// JOSE or JCA name.
    #[schema(example = "ES256")]
    algorithm: String,
    /// Base64 or base64url, at most 64 KiB of bytes; exactly one of `message` and `digest`.
    #[schema(nullable = false, example = "aGVsbG8=")]
    message: Option<String>,
    /// Base64 or base64url, as long as the algorithm's hash.
    #[schema(nullable = false)]
    digest: Option<String>,
    /// Base64 or base64url.
    signature: String,
    /// Of the signature: `raw` when absent and the algorithm has its JOSE name, else `der`.
    #[schema(nullable = false)]
    encoding: Option<Encoding>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VerifyAnswer {
    /// Public name of the key.
    kid: String,
    /// As it was asked for.
    #[schema(example = "ES256")]
    algorithm: String,
    /// Whether the signature is this key's over this input.
    valid: bool,
}

/// Verifies a signature by the public key.
pub(super) async fn verify(
    services: &Services,
    who: &Caller,
    target: &Target,
    request: VerifyRequest,
) -> Result<VerifyAnswer, Error> {
    let VerifyRequest { algorithm, message, digest, signature, encoding } = request;
    let input = Item { message, digest }.read()?;
    let signature = decode("signature", &signature)?;
    let presented = match Encoding::or_usual(encoding, &algorithm) {
        Encoding::Raw => PresentedSignature::Raw(signature),
        Encoding::Der => PresentedSignature::Der(signature),
    };
    let (key, valid) = services.signing.verify(who, target, &algorithm, &input, presented).await?;
    Ok(VerifyAnswer { kid: key.kid.to_string(), algorithm, valid })
}

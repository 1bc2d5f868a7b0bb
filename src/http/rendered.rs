//! Long answers, rendered where they hold up no other request.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::Services;
use strongroom_domain::error::{Error, ErrorKind};

/// An entry of a list costs as much as this many bytes of JSON: its certificate is parsed.
const ENTRY: usize = 8 << 10;

/// The JSON of a list of so many entries, made in the pool for documents where they are many.
///
/// # Errors
/// Those of `render`; `Busy` when too many lists wait.
pub(crate) async fn rendered<T: Serialize, F: From<Error> + Send + 'static>(
    services: &Services,
    entries: usize,
    render: impl FnOnce() -> Result<T, F> + Send + 'static,
) -> Result<Response, F> {
    let internal = |failure: serde_json::Error| Error::new(ErrorKind::Internal, "internal error").with_source(failure);
    let work = move || render().and_then(|list| serde_json::to_vec(&list).map_err(|failure| internal(failure).into()));
    let json = services.documents.run_sized(entries.saturating_mul(ENTRY), work).await??;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

//! Callers who hold the scope that a route asks for: any other is refused before the body is read.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Caller;
use crate::auth::{Principal, Scope};
use crate::http::ServiceState;
use crate::http::dialect::DialectError;
use strongroom_domain::error::Error;

/// A scope as a type, for the routes that ask for it.
pub(crate) trait Required: Send {
    const SCOPE: Scope;
}

/// The scope `parse_json`.
pub(crate) enum Read {}

/// The scope `manage`.
pub(crate) enum Manage {}

/// The scope `sign`.
pub(crate) enum Sign {}

/// The scope `verify`.
pub(crate) enum Verify {}

/// The scope `decrypt`.
pub(crate) enum Decrypt {}

/// The scope `operate`.
pub(crate) enum Operate {}

impl Required for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Required for Manage {
    const SCOPE: Scope = Scope::Manage;
}

impl Required for Sign {
    const SCOPE: Scope = Scope::Sign;
}

impl Required for Verify {
    const SCOPE: Scope = Scope::Verify;
}

impl Required for Decrypt {
    const SCOPE: Scope = Scope::Decrypt;
}

impl Required for Operate {
    const SCOPE: Scope = Scope::Operate;
}

/// A caller who holds the scope `S`: to any other, a request says nothing about its path or body.
pub(crate) struct Holder<S, E>(pub Principal, pub PhantomData<(S, E)>);

impl<S: Required, St: ServiceState, E: DialectError> FromRequestParts<St> for Holder<S, E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, state: &St) -> Result<Self, E> {
        let Caller(principal, _) = Caller::<E>::from_request_parts(parts, state).await?;
        principal.require(S::SCOPE).map_err(Error::from)?;
        Ok(Self(principal, PhantomData))
    }
}

/// A caller that may make changes.
pub(crate) struct Manager<E>(pub Principal, pub PhantomData<E>);

impl<St: ServiceState, E: DialectError> FromRequestParts<St> for Manager<E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, state: &St) -> Result<Self, E> {
        let Holder(principal, _) = Holder::<Manage, E>::from_request_parts(parts, state).await?;
        Ok(Self(principal, PhantomData))
    }
}

//! Callers who hold the scope that a route asks for: any other is refused before the body is read.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Caller;
use crate::api::Services;
use crate::api::dialect::DialectError;
use crate::auth::{Principal, Scope};
use crate::error::Error;

/// A scope as a type, for the routes that ask for it.
pub(in crate::api) trait Required: Send {
    const SCOPE: Scope;
}

/// The scope `read`.
pub(in crate::api) enum Read {}

/// The scope `manage`.
pub(in crate::api) enum Manage {}

/// The scope `sign`.
pub(in crate::api) enum Sign {}

/// The scope `verify`.
pub(in crate::api) enum Verify {}

/// The scope `decrypt`.
pub(in crate::api) enum Decrypt {}

/// The scope `operate`.
pub(in crate::api) enum Operate {}

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
pub(in crate::api) struct Holder<S, E>(pub Principal, pub PhantomData<(S, E)>);

impl<S: Required, E: DialectError> FromRequestParts<Arc<Services>> for Holder<S, E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, E> {
        let Caller(principal, _) = Caller::<E>::from_request_parts(parts, services).await?;
        principal.require(S::SCOPE).map_err(Error::from)?;
        Ok(Self(principal, PhantomData))
    }
}

/// A caller that may make changes.
pub(in crate::api) struct Manager<E>(pub Principal, pub PhantomData<E>);

impl<E: DialectError> FromRequestParts<Arc<Services>> for Manager<E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, E> {
        let Holder(principal, _) = Holder::<Manage, E>::from_request_parts(parts, services).await?;
        Ok(Self(principal, PhantomData))
    }
}

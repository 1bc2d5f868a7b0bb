//! Callers who may do what a route is for: any other is refused before the body is read.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::policy::{self, Action};
use crate::auth::{Caller, Origin};
use crate::http::dialect::DialectError;
use crate::http::{ServiceState, forgery};
use strongroom_domain::error::Error;

/// The caller that the credentials of a request tell, made by the request's layer; `None` where they tell nobody.
#[derive(Clone)]
pub(crate) struct Presented(pub Option<Caller>);

/// The caller of a request, unless a page of another site may have caused it.
pub(crate) fn presented(parts: &Parts) -> Option<&Caller> {
    let Presented(caller) = parts.extensions.get::<Presented>()?;
    caller.as_ref().filter(|caller| !is_forgeable(caller, parts))
}

/// An action as a type, for the routes that are there for it.
pub(crate) trait Asked: Send {
    const ACTION: Action;
}

/// The actions as types.
pub(crate) mod asked {
    use super::{Action, Asked};

    macro_rules! actions {
        ($($name:ident)*) => {
            $(
                pub(crate) enum $name {}

                impl Asked for $name {
                    const ACTION: Action = Action::$name;
                }
            )*
        };
    }

    actions! {
        Authenticate ChangeRing ChangeSettings CompromiseKey CreateConnection CreateKey Decrypt DeleteConnection
        DeleteKey DeleteRing DestroyKey ExportKey ImportKey LinkKey ListKeys ReadCapabilities ReadConnection ReadKey
        ReadMetrics ReadSettings ReinstateKey ReplaceCertificates RequestCertificate RestoreKey RotateRing Sign
        SuspendKey Sweep UpdateConnection Verify
    }
}

/// A caller who may do the action `A`: to any other, a request says nothing about its path or body. There is no
/// other way from a request to its caller, so that no handler with credentials is without an action.
pub(crate) struct Call<A, E>(pub Caller, pub PhantomData<(A, E)>);

impl<A: Asked, S: ServiceState, E: DialectError> FromRequestParts<S> for Call<A, E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, E> {
        let known = parts.extensions.get::<Presented>().and_then(|Presented(caller)| caller.as_ref());
        let caller = known
            .filter(|caller| matches!(caller.origin(), Origin::Request(scheme) if E::knows(scheme)))
            .ok_or_else(|| E::unauthenticated(parts.headers.contains_key(AUTHORIZATION)))?;
        if is_forgeable(caller, parts) {
            return Err(E::forged());
        }
        policy::may(caller, A::ACTION, None).map_err(|denied| E::denied(A::ACTION, Error::from(denied)))?;
        Ok(Self(caller.clone(), PhantomData))
    }
}

fn is_forgeable(caller: &Caller, parts: &Parts) -> bool {
    matches!(caller.origin(), Origin::Request(scheme) if forgery::is_possible(scheme, parts))
}

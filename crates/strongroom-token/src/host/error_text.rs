//! From return values (PKCS#11 section 5.1) to what they mean for a call.

use cryptoki::error::{Error, RvError};

use crate::failpoint::Injected;
use crate::protocol::{CallFailure, FailureClass};

impl From<Error> for CallFailure {
    fn from(error: Error) -> Self {
        let class = match &error {
            Error::Pkcs11(value, _) => class_of(*value),
            Error::NullFunctionPointer | Error::NotSupported => FailureClass::Unsupported,
            _ => FailureClass::Unavailable,
        };
        Self::new(class, describe(&error))
    }
}

impl From<Injected> for CallFailure {
    fn from(injected: Injected) -> Self {
        Self::new(FailureClass::Unavailable, injected.to_string())
    }
}

/// The error in the standard's names, because the crate's own words fill paragraphs.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("C_{function:?} answered {value:?}"),
        other => other.to_string(),
    }
}

/// Values that say that the request is at fault; no other session would answer otherwise.
const fn class_of(value: RvError) -> FailureClass {
    match value {
        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::KeySizeRange
        | RvError::KeyTypeInconsistent
        | RvError::KeyFunctionNotPermitted
        | RvError::CurveNotSupported
        | RvError::DomainParamsInvalid
        | RvError::AttributeTypeInvalid
        | RvError::AttributeValueInvalid
        | RvError::AttributeReadOnly
        | RvError::TemplateIncomplete
        | RvError::TemplateInconsistent
        | RvError::DataInvalid
        | RvError::DataLenRange
        | RvError::ActionProhibited
        | RvError::FunctionNotSupported => FailureClass::Unsupported,
        _ => FailureClass::Unavailable,
    }
}

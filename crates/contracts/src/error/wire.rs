//! A refusal on the wire: in-band, as a gRPC status, or as a JSON body.

use super::{Code, rpc_status};
use crate::common::v1 as common;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A refusal or failure with everything that its receiver may know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct WireError {
    /// Programs decide by it.
    pub code: Code,
    /// For people; never a source, a path or a secret.
    pub message: String,
    /// The trace to quote to an operator.
    pub trace_id: Option<Arc<str>>,
    /// Typed particulars.
    pub details: Vec<Detail>,
}

/// One typed particular of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// The field of the request, such as `seat_ids`.
    #[serde(default)]
    pub field: String,
    /// Upper-case word, such as `NOT_DUE`.
    #[serde(default)]
    pub reason: String,
    /// The particular.
    #[serde(default)]
    pub value: String,
}

/// The JSON body of every error: `{"error":{"code","message","trace_id","details"?}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorBodyInner,
}

/// The member `error` of an [`ErrorBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBodyInner {
    /// [`Code::as_str`].
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The trace to quote to an operator; empty if there is none.
    #[serde(default)]
    pub trace_id: String,
    /// Typed particulars; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

impl Detail {
    /// A particular about `field`.
    pub fn new(field: impl Into<String>, reason: impl Into<String>, value: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into(), value: value.into() }
    }
}

impl WireError {
    /// A refusal without trace and particulars.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), trace_id: None, details: Vec::new() }
    }

    /// An invalid request; `field` names the invalid field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message).detail(field, "INVALID", "")
    }

    /// The same with one more particular.
    #[must_use]
    pub fn detail(
        mut self,
        field: impl Into<String>,
        reason: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.details.push(Detail::new(field, reason, value));
        self
    }

    /// The same with the trace of the request.
    #[must_use]
    pub fn traced(mut self, trace_id: Option<Arc<str>>) -> Self {
        self.trace_id = trace_id;
        self
    }

    /// The particular with this reason, if there is one.
    pub fn find(&self, reason: &str) -> Option<&Detail> {
        self.details.iter().find(|detail| detail.reason == reason)
    }

    /// The in-band form.
    pub fn to_proto(&self) -> common::Error {
        common::Error {
            code: self.code.proto(),
            message: self.message.clone(),
            trace_id: self.trace_id.as_deref().unwrap_or_default().to_owned(),
            details: self
                .details
                .iter()
                .map(|d| common::ErrorDetail {
                    field: d.field.clone(),
                    reason: d.reason.clone(),
                    value: d.value.clone(),
                })
                .collect(),
        }
    }

    /// Reads the in-band form. `None` if this program does not know the code.
    pub fn from_proto(error: common::Error) -> Option<Self> {
        Some(Self {
            code: Code::from_proto(error.code)?,
            message: error.message,
            trace_id: (!error.trace_id.is_empty()).then(|| error.trace_id.into()),
            details: error.details.into_iter().map(|d| Detail::new(d.field, d.reason, d.value)).collect(),
        })
    }

    /// The JSON body.
    pub fn to_json(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorBodyInner {
                code: self.code.as_str().to_owned(),
                message: self.message.clone(),
                trace_id: self.trace_id.as_deref().unwrap_or_default().to_owned(),
                details: self.details.clone(),
            },
        }
    }

    /// Reads the JSON body. `None` if this program does not know the code.
    pub fn from_json(body: ErrorBody) -> Option<Self> {
        let ErrorBodyInner { code, message, trace_id, details } = body.error;
        let trace_id = (!trace_id.is_empty()).then(|| trace_id.into());
        Some(Self { code: Code::parse(&code)?, message, trace_id, details })
    }

    /// Reads the typed error in the details of a [`tonic::Status`]; `None` if no service of ours
    /// made the status.
    pub fn from_status(status: &tonic::Status) -> Option<Self> {
        rpc_status::decode(status.details()).and_then(Self::from_proto)
    }
}

/// The gRPC status of the code, with the whole error in its details, as `google.rpc.Status` holding
/// a `common.v1.Error`: grpcurl and other tools show it, and [`WireError::from_status`] reads it.
impl From<WireError> for tonic::Status {
    fn from(error: WireError) -> Self {
        let code = error.code.grpc_code();
        let details = rpc_status::encode(code as i32, &error.message, &error.to_proto());
        Self::with_details(code, error.message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TABLE;

    #[test]
    fn an_error_round_trips_in_every_form() {
        for row in TABLE {
            for trace_id in [None, Some(Arc::from("5b8aa5a2d2c872e8321cf37308d69df2"))] {
                let error = WireError::new(row.code, "좌석 A-1 is taken")
                    .detail("seat_ids", "TAKEN", "A-1")
                    .detail("seat_ids", "TAKEN", "A-2")
                    .traced(trace_id);
                assert_eq!(WireError::from_proto(error.to_proto()).as_ref(), Some(&error));
                assert_eq!(WireError::from_json(error.to_json()).as_ref(), Some(&error));
                let status = tonic::Status::from(error.clone());
                assert_eq!(status.code(), row.grpc);
                assert_eq!(WireError::from_status(&status).as_ref(), Some(&error));
            }
        }
    }

    #[test]
    fn the_json_body_has_the_documented_shape() {
        let body = WireError::new(Code::NotFound, "no such reservation").traced(Some("abc".into())).to_json();
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(
            text,
            r#"{"error":{"code":"NOT_FOUND","message":"no such reservation","trace_id":"abc"}}"#
        );
    }

    #[test]
    fn a_foreign_status_has_no_typed_error() {
        assert_eq!(WireError::from_status(&tonic::Status::not_found("x")), None);
        let odd = tonic::Status::with_details(tonic::Code::Internal, "x", vec![0xff, 0x00, 0x12].into());
        assert_eq!(WireError::from_status(&odd), None);
    }
}

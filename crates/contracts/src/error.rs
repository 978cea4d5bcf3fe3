//! The one list of error codes and what each means over REST and gRPC.
//!
//! A service chooses a [`Code`] from the answer of its rules or adapters, never from a text.
//! [`TABLE`] is the only place that knows numbers and statuses, so REST and gRPC cannot answer the
//! same refusal differently. [`WireError`] is a refusal on its way out or in: in-band in a gRPC
//! response, as a gRPC status, or as a JSON body.
//!
//! The message is for the caller: it has no source, no path and no secret. The internal cause is
//! logged where it is handled.

mod in_band;
mod rpc_status;
mod wire;

pub use in_band::CarriesError;
pub use wire::{Detail, ErrorBody, ErrorBodyInner, WireError};

use core::fmt;

/// Why a request was refused or failed: `common.v1.ErrorCode` without its prefix and without
/// UNSPECIFIED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller is known, and not allowed to do this.
    Forbidden,
    /// An older spelling of [`Self::Forbidden`].
    Unauthorized,
    /// The request is invalid, whatever the state of the system.
    InvalidArgument,
    /// The named thing does not exist.
    NotFound,
    /// It already exists, or was already done in another way.
    AlreadyExists,
    /// The present state does not allow it.
    FailedPrecondition,
    /// Too many requests.
    RateLimited,
    /// More than the caller's quota.
    QuotaExceeded,
    /// The Idempotency-Key is missing.
    IdempotencyRequired,
    /// The Idempotency-Key belongs to another request, or to one that is still running.
    IdempotencyConflict,
    /// The hold ran out and its seats are gone.
    ReservationExpired,
    /// The payment is not approved.
    PaymentNotApproved,
    /// Somebody else has the seats.
    InventoryConflict,
    /// Fewer seats are left than requested.
    InsufficientInventory,
    /// An internal failure.
    Internal,
    /// The service cannot answer now.
    Unavailable,
    /// The request took too long.
    Timeout,
    /// A service behind this one took too long.
    UpstreamTimeout,
    /// A service behind this one failed.
    UpstreamError,
    /// Stored data contradicts itself.
    DataCorruption,
    /// Somebody else changed it at the same time; the same request may work the next time.
    ConcurrentModification,
    /// The show takes no new holds: it is closed, cancelled, archived, or outside its sale times.
    ShowClosed,
    /// This service has no such path. It says nothing about the thing that the path names.
    RouteNotFound,
}

/// One row of [`TABLE`].
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The code.
    pub code: Code,
    /// Its text in JSON bodies.
    pub text: &'static str,
    /// Its number in `common.v1.ErrorCode`.
    pub number: i32,
    /// The HTTP status that goes with it unless an endpoint says otherwise.
    pub http: u16,
    /// The gRPC status that goes with it where the refusal is not in-band.
    pub grpc: tonic::Code,
}

const fn row(code: Code, text: &'static str, number: i32, http: u16, grpc: tonic::Code) -> Row {
    Row { code, text, number, http, grpc }
}

/// Every code with its text, number, HTTP status and gRPC status.
///
/// A business refusal over gRPC is status OK with the error in the response
/// ([`CarriesError`]); its gRPC status here is for calls whose response has no place for it.
///
/// ABORTED is reserved for refusals that may succeed the next time, because clients retry it. A
/// lasting conflict over seats, keys or state is FAILED_PRECONDITION or ALREADY_EXISTS.
pub const TABLE: [Row; 24] = [
    row(Code::Unauthenticated, "UNAUTHENTICATED", 1, 401, tonic::Code::Unauthenticated),
    row(Code::Forbidden, "FORBIDDEN", 2, 403, tonic::Code::PermissionDenied),
    row(Code::Unauthorized, "UNAUTHORIZED", 3, 403, tonic::Code::PermissionDenied),
    row(Code::InvalidArgument, "INVALID_ARGUMENT", 4, 400, tonic::Code::InvalidArgument),
    row(Code::NotFound, "NOT_FOUND", 5, 404, tonic::Code::NotFound),
    row(Code::AlreadyExists, "ALREADY_EXISTS", 6, 409, tonic::Code::AlreadyExists),
    row(Code::FailedPrecondition, "FAILED_PRECONDITION", 7, 412, tonic::Code::FailedPrecondition),
    row(Code::RateLimited, "RATE_LIMITED", 8, 429, tonic::Code::ResourceExhausted),
    row(Code::QuotaExceeded, "QUOTA_EXCEEDED", 9, 429, tonic::Code::ResourceExhausted),
    row(Code::IdempotencyRequired, "IDEMPOTENCY_REQUIRED", 10, 400, tonic::Code::InvalidArgument),
    row(Code::IdempotencyConflict, "IDEMPOTENCY_CONFLICT", 11, 409, tonic::Code::AlreadyExists),
    row(Code::ReservationExpired, "RESERVATION_EXPIRED", 12, 409, tonic::Code::FailedPrecondition),
    row(Code::PaymentNotApproved, "PAYMENT_NOT_APPROVED", 13, 412, tonic::Code::FailedPrecondition),
    row(Code::InventoryConflict, "INVENTORY_CONFLICT", 14, 409, tonic::Code::FailedPrecondition),
    row(Code::InsufficientInventory, "INSUFFICIENT_INVENTORY", 15, 409, tonic::Code::FailedPrecondition),
    row(Code::Internal, "INTERNAL", 16, 500, tonic::Code::Internal),
    row(Code::Unavailable, "UNAVAILABLE", 17, 503, tonic::Code::Unavailable),
    row(Code::Timeout, "TIMEOUT", 18, 504, tonic::Code::DeadlineExceeded),
    row(Code::UpstreamTimeout, "UPSTREAM_TIMEOUT", 19, 504, tonic::Code::DeadlineExceeded),
    row(Code::UpstreamError, "UPSTREAM_ERROR", 20, 502, tonic::Code::Internal),
    row(Code::DataCorruption, "DATA_CORRUPTION", 21, 500, tonic::Code::DataLoss),
    row(Code::ConcurrentModification, "CONCURRENT_MODIFICATION", 22, 409, tonic::Code::Aborted),
    row(Code::ShowClosed, "SHOW_CLOSED", 23, 409, tonic::Code::FailedPrecondition),
    row(Code::RouteNotFound, "ROUTE_NOT_FOUND", 24, 404, tonic::Code::Unimplemented),
];

impl Code {
    /// This code's row of [`TABLE`]. A test checks that the table is in the order of the enum.
    const fn row(self) -> Row {
        TABLE[self as usize]
    }

    /// The text in JSON bodies, such as `INVENTORY_CONFLICT`.
    pub const fn as_str(self) -> &'static str {
        self.row().text
    }

    /// The number in `common.v1.ErrorCode`.
    pub const fn proto(self) -> i32 {
        self.row().number
    }

    /// The HTTP status that goes with it unless an endpoint says otherwise.
    pub const fn http_status(self) -> http::StatusCode {
        match http::StatusCode::from_u16(self.row().http) {
            Ok(status) => status,
            Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The gRPC status that goes with it where the refusal is not in-band.
    pub const fn grpc_code(self) -> tonic::Code {
        self.row().grpc
    }

    /// Reads [`Self::as_str`], with or without the prefix `ERROR_CODE_`; `None` for a code that
    /// this program does not know.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("ERROR_CODE_").unwrap_or(text);
        TABLE.iter().find(|row| row.text == text).map(|row| row.code)
    }

    /// Reads [`Self::proto`]; `None` for UNSPECIFIED and for a number that this program does not
    /// know.
    pub fn from_proto(number: i32) -> Option<Self> {
        TABLE.iter().find(|row| row.number == number).map(|row| row.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::v1::ErrorCode;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_agrees_with_the_proto() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, index, "{}", row.text);
            let proto = ErrorCode::try_from(row.number).unwrap();
            assert_eq!(proto.as_str_name(), format!("ERROR_CODE_{}", row.text));
            assert_eq!(Code::parse(row.text), Some(row.code));
            assert_eq!(Code::parse(proto.as_str_name()), Some(row.code));
            assert_eq!(Code::from_proto(row.number), Some(row.code));
            assert_eq!(row.code.http_status().as_u16(), row.http);
        }
        assert_eq!(Code::from_proto(0), None);
        assert_eq!(Code::from_proto(TABLE.len() as i32 + 1), None);
        assert!(
            ErrorCode::try_from(TABLE.len() as i32 + 1).is_err(),
            "the proto has a code that the table has not"
        );
        assert_eq!(Code::parse("NO_SUCH_CODE"), None);
    }

    #[test]
    fn the_document_has_this_table() {
        let document = include_str!("../../../docs/contracts.md");
        for row in &TABLE {
            let mut grpc = String::new();
            for letter in format!("{:?}", row.grpc).chars() {
                if letter.is_uppercase() && !grpc.is_empty() {
                    grpc.push('_');
                }
                grpc.push(letter.to_ascii_uppercase());
            }
            // After the code the document may have a remark.
            let (code, rest) =
                (format!("| {} ", row.text), format!("| {} | {} | {grpc} |", row.number, row.http));
            let is_this = |line: &str| line.starts_with(&code) && line.ends_with(&rest);
            assert!(document.lines().any(is_this), "docs/contracts.md, Errors, lacks: {code}{rest}");
        }
        let errors = document.split("\n## ").find(|section| section.starts_with("Errors\n")).unwrap();
        let rows = errors.lines().filter(|line| line.starts_with("| ")).count() - 1;
        assert_eq!(rows, TABLE.len(), "docs/contracts.md, Errors, has a row that the code has not");
    }

    #[test]
    fn only_retryable_codes_are_aborted() {
        let aborted: Vec<_> =
            TABLE.iter().filter(|r| r.grpc == tonic::Code::Aborted).map(|r| r.code).collect();
        assert_eq!(aborted, [Code::ConcurrentModification]);
    }
}

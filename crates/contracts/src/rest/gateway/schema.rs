//! Types that only describe fields in the OpenAPI document.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// 1 to 128 bytes of UTF-8 without control characters.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
    examples("evt_2025_1001")
)]
#[expect(dead_code, reason = "it describes a field")]
pub struct Id(String);

/// ISO 4217.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Z]{3}$", examples("KRW"))]
#[expect(dead_code, reason = "it describes a field")]
pub struct Currency(String);

/// The token of join, as it was given.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 4096,
    pattern = "^[!-~]+$",
    examples("q1.eyJzaG93IjoiZXZ0XzIwMjVfMTAwMSIsIm4iOjQyfQ.5rGm3yfXl2nQdX3m6G0bWg")
)]
#[expect(dead_code, reason = "it describes a field")]
pub struct WaitingToken(String);

/// A type for each closed set of words.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $($word:literal),+;)+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some([$($word),+])).into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

words! {
    /// A new place.
    Waiting: "waiting";
    /// A place.
    PlaceState: "waiting", "ready", "expired", "left";
    /// A pass.
    Granted: "granted";
    /// A place that was given up.
    LeftState: "left", "ready", "expired";
    /// A section.
    SectionKind: "seats", "general";
    /// A seat.
    SeatState: "AVAILABLE", "HELD", "SOLD", "BLOCKED";
    /// A new reservation.
    Held: "HOLD";
    /// A reservation.
    ReservationState: "HOLD", "CONFIRMED", "CANCELLED", "EXPIRED";
    /// The simulated provider's decision.
    Scenario: "APPROVE", "FAIL", "DELAY", "RANDOM", "TIMEOUT";
    /// A new payment.
    Pending: "PENDING";
    /// How the outcome arrives.
    Webhook: "webhook";
    /// A decision.
    Action: "approve", "fail";
    /// A confirmed reservation.
    ConfirmedState: "CONFIRMED";
    /// A cancelled reservation.
    CancelledState: "CANCELLED", "EXPIRED";
    /// The event of a stream.
    StatusName: "status";
}

/// The status of a payment.
pub struct PaymentStatus;

impl PartialSchema for PaymentStatus {
    fn schema() -> RefOr<Schema> {
        let words = ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED", "REFUNDED", "EXPIRED"];
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words))
            .description(Some(
                "`PENDING`: not decided. `PROCESSING`: the answer is on its way. `COMPLETED`: paid. \
                 `FAILED`: declined. `CANCELLED`: given up before it was paid. `REFUNDED`: paid back. \
                 `EXPIRED`: never decided.",
            ))
            .into()
    }
}

impl ToSchema for PaymentStatus {}

//! The answers that are not a success, by name: the operations refer to them.

use serde_json::{Map, Value, json};
use utoipa::ToResponse;
use utoipa::openapi::{RefOr, Response};

/// Types that name the shared errors in the handlers' descriptions.
macro_rules! named {
    ($($name:ident),+ $(,)?) => {$(
        pub(in crate::edge) struct $name;

        impl ToResponse<'static> for $name {
            fn response() -> (&'static str, RefOr<Response>) {
                (stringify!($name), Response::default().into())
            }
        }
    )+};
}

named! {
    Forbidden, NotFound, RequestTimeout, Conflict, Gone, PaymentNotApproved, TooLarge, UnsupportedMediaType,
    BadGateway,
}

/// A shared error response.
struct Error {
    name: &'static str,
    description: &'static str,
    /// Headers besides the trace, by name and component.
    headers: &'static [(&'static str, &'static str)],
    /// Code, message, and one detail: field, reason, value.
    examples: &'static [Example],
}

type Example = (&'static str, &'static str, Option<(&'static str, &'static str, &'static str)>);

/// `components.responses`.
pub(super) fn responses() -> Map<String, Value> {
    ERRORS.iter().map(|error| (error.name.to_owned(), response(error))).collect()
}

fn response(error: &Error) -> Value {
    let mut headers = Map::new();
    for (name, component) in error.headers {
        headers.insert((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{component}") }));
    }
    let mut content = json!({ "schema": { "$ref": "#/components/schemas/Error" } });
    match error.examples {
        [one] => content["example"] = example(one),
        several => {
            let named =
                |one: &Example| (one.0.to_owned(), json!({ "summary": one.0, "value": example(one) }));
            content["examples"] = Value::Object(several.iter().map(named).collect());
        }
    }
    json!({
        "description": error.description,
        "headers": headers,
        "content": { "application/json": content },
    })
}

fn example((code, message, detail): &Example) -> Value {
    let trace_id = "5b8aa5a2d2c872e8321cf37308d69df2";
    let mut error = json!({ "code": code, "message": message, "trace_id": trace_id });
    if let Some((field, reason, value)) = detail {
        error["details"] = json!([{ "field": field, "reason": reason, "value": value }]);
    }
    json!({ "error": error })
}

const ERRORS: &[Error] = &[
    Error {
        name: "BadRequest",
        description: "A parameter or the body makes no sense. `INVALID_ARGUMENT`.",
        headers: &[],
        examples: &[
            (
                "INVALID_ARGUMENT",
                "the body cannot be read: unknown field `seats`, expected one of `event_id`, `seat_ids`",
                None,
            ),
            (
                "IDEMPOTENCY_REQUIRED",
                "the Idempotency-Key is missing; send one of your choice, the same at every retry",
                Some(("idempotency_key", "MISSING", "")),
            ),
        ],
    },
    Error {
        name: "Unauthenticated",
        description: "No bearer token where one is needed, or one that is not valid. \
                      `UNAUTHENTICATED`.",
        headers: &[],
        examples: &[("UNAUTHENTICATED", "the token has expired", None)],
    },
    Error {
        name: "Forbidden",
        description: "You may not. `FORBIDDEN`.",
        headers: &[("Retry-After", "RetryAfter")],
        examples: &[
            (
                "FORBIDDEN",
                "no admission: evt_2025_1001 is entered through its waiting room, and there is no pass",
                Some(("reservation_token", "NO_ADMISSION", "")),
            ),
            ("NOT_READY", "it is not your turn yet", None),
        ],
    },
    Error {
        name: "NotFound",
        description: "There is no such thing. `NOT_FOUND`.",
        headers: &[],
        examples: &[("NOT_FOUND", "no event evt_2031_0101", None)],
    },
    Error {
        name: "RequestTimeout",
        description: "The body did not arrive within 10 seconds. `INVALID_ARGUMENT`.",
        headers: &[],
        examples: &[("INVALID_ARGUMENT", "the body did not arrive in time", None)],
    },
    Error {
        name: "Conflict",
        description: "Not as things stand.",
        headers: &[("Retry-After", "RetryAfter")],
        examples: &[
            ("INVENTORY_CONFLICT", "seat R-A-1 is taken", Some(("seat_ids", "TAKEN", "R-A-1"))),
            ("INSUFFICIENT_INVENTORY", "only 1 seats are left", Some(("section", "REMAINING", "1"))),
            (
                "IDEMPOTENCY_CONFLICT",
                "the Idempotency-Key was used for another request",
                Some(("idempotency_key", "OTHER_REQUEST", "")),
            ),
            (
                "RESERVATION_EXPIRED",
                "the hold ran out and its seats cannot be taken again",
                Some(("status", "CURRENT_STATUS", "EXPIRED")),
            ),
            (
                "FAILED_PRECONDITION",
                "the reservation is CONFIRMED and cannot be brought there",
                Some(("status", "CURRENT_STATUS", "CONFIRMED")),
            ),
        ],
    },
    Error {
        name: "Gone",
        description: "Your turn is over, or you have left. Join again. `FAILED_PRECONDITION`.",
        headers: &[],
        examples: &[(
            "FAILED_PRECONDITION",
            "your turn is over; join again",
            Some(("waiting_token", "EXPIRED", "")),
        )],
    },
    Error {
        name: "PaymentNotApproved",
        description: "The payment is not there, not for this reservation, not paid, or of another amount. \
                      `PAYMENT_NOT_APPROVED`.",
        headers: &[],
        examples: &[(
            "PAYMENT_NOT_APPROVED",
            "payment not approved: it is PENDING; try again when it is CAPTURED",
            Some(("payment_intent_id", "STATUS", "PENDING")),
        )],
    },
    Error {
        name: "TooLarge",
        description: "The body is larger than 64 KiB. `INVALID_ARGUMENT`.",
        headers: &[],
        examples: &[("INVALID_ARGUMENT", "the body is larger than 65536 bytes", None)],
    },
    Error {
        name: "UnsupportedMediaType",
        description: "The body is not `application/json`. `INVALID_ARGUMENT`.",
        headers: &[],
        examples: &[("INVALID_ARGUMENT", "the content type must be application/json", None)],
    },
    Error {
        name: "TooManyRequests",
        description: "Too many requests. Wait as long as `Retry-After` says. `RATE_LIMITED`.",
        headers: &[
            ("Retry-After", "RetryAfterAlways"),
            ("X-RateLimit-Limit", "RateLimit"),
            ("X-RateLimit-Remaining", "RateRemaining"),
            ("X-RateLimit-Reset", "RateReset"),
        ],
        examples: &[("RATE_LIMITED", "too many requests", None)],
    },
    Error {
        name: "Internal",
        description: "A fault of ours. `INTERNAL` or `DATA_CORRUPTION`.",
        headers: &[],
        examples: &[("INTERNAL", "internal error", None)],
    },
    Error {
        name: "BadGateway",
        description: "A service behind this one failed. `UPSTREAM_ERROR`.",
        headers: &[],
        examples: &[("UPSTREAM_ERROR", "the inventory failed", None)],
    },
    Error {
        name: "Unavailable",
        description: "Not now; try again. `UNAVAILABLE`.",
        headers: &[("Retry-After", "RetryAfter")],
        examples: &[("UNAVAILABLE", "not available now", None)],
    },
    Error {
        name: "GatewayTimeout",
        description: "It took too long; try again. `TIMEOUT` or `UPSTREAM_TIMEOUT`.",
        headers: &[],
        examples: &[("UPSTREAM_TIMEOUT", "the inventory did not answer in time; try again", None)],
    },
];

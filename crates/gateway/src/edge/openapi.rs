//! The OpenAPI document of the public port, made from the handlers.
//!
//! The handlers describe their own parameters, bodies and answers. This module adds what belongs to
//! every operation: the errors, the trace's header, the aliases of the payments' paths, and the
//! operations of every process.

mod errors;

use super::rest;
use contracts::error::TABLE;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::ToResponse;
use utoipa::openapi::{RefOr, Response};
use utoipa_axum::router::OpenApiRouter;

/// Names of the shared errors, for the handlers' descriptions.
macro_rules! errors {
    ($($name:ident),+ $(,)?) => {$(
        pub(super) struct $name;

        impl ToResponse<'static> for $name {
            fn response() -> (&'static str, RefOr<Response>) {
                (stringify!($name), Response::default().into())
            }
        }
    )+};
}

errors! {
    Forbidden, NotFound, RequestTimeout, Conflict, Gone, PaymentNotApproved, TooLarge, UnsupportedMediaType,
    BadGateway,
}

/// Errors of every operation of the API, and of those with a body.
const ERRORS: [(&str, &str); 6] = [
    ("400", "BadRequest"),
    ("401", "Unauthenticated"),
    ("429", "TooManyRequests"),
    ("500", "Internal"),
    ("503", "Unavailable"),
    ("504", "GatewayTimeout"),
];
const BODY_ERRORS: [(&str, &str); 3] =
    [("408", "RequestTimeout"), ("413", "TooLarge"), ("415", "UnsupportedMediaType")];
const KEY_PATTERN: &str = "^[!-~]([ -~]*[!-~])?$";

/// The document.
pub(super) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        let api = OpenApiRouter::new().nest("/api/v1", rest::api()).into_openapi();
        complete(serde_json::to_value(&api).expect("a document has text keys"))
    });
    &DOCUMENT
}

fn complete(mut document: Value) -> Value {
    merge_descriptions(&mut document);
    document["openapi"] = "3.1.0".into();
    document["info"] = json!({
        "title": "Traffic Tacos gateway",
        "version": "1.0.0",
        "summary": "Buy tickets for a show through a waiting room that keeps everybody's place.",
        "license": { "name": "MIT", "identifier": "MIT" },
        "description": include_str!("openapi/description.md").trim_end(),
    });
    document["servers"] = json!([{ "url": "/", "description": "This gateway" }]);
    document["tags"] = tags();
    document["security"] = json!([{ "bearer": [] }, {}]);
    let paths = document["paths"].as_object_mut().expect("an object");
    for operation in paths.values_mut().flat_map(operations) {
        add_errors(operation);
        describe_key(operation);
    }
    add_aliases(paths);
    paths.extend(process_operations());
    for operation in paths.values_mut().flat_map(operations) {
        add_headers(operation);
    }
    let components = &mut document["components"];
    components["headers"] = headers();
    components["responses"] = errors::responses().into();
    for response in components["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        response["headers"]["X-Trace-Id"] = trace_header();
    }
    components["securitySchemes"] = json!({ "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A JWT of the site's identity provider, HS256, RS256 or ES256. Its `sub` is the person; \
                        issuer, audience and expiry are checked.",
    }});
    complete_schemas(&mut components["schemas"]);
    document
}

/// utoipa describes an inlined enum as `allOf: [enum, {type: object, description}]`, which no text
/// can satisfy. Both parts become one schema.
fn merge_descriptions(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_description = |part: &Value| part["type"] == "object" && part.get("properties").is_none();
            let is_described = matches!(
                fields.get("allOf").and_then(Value::as_array).map(Vec::as_slice),
                Some([_, description]) if is_description(description)
            );
            if is_described && let Some(Value::Array(parts)) = fields.remove("allOf") {
                for (key, value) in parts.into_iter().rev().filter_map(into_fields).flatten() {
                    fields.insert(key, value);
                }
            }
            fields.values_mut().for_each(merge_descriptions);
        }
        Value::Array(values) => values.iter_mut().for_each(merge_descriptions),
        _ => {}
    }
}

fn into_fields(value: Value) -> Option<Map<String, Value>> {
    if let Value::Object(fields) = value { Some(fields) } else { None }
}

fn operations(item: &mut Value) -> impl Iterator<Item = &mut Value> {
    let methods = ["get", "post", "delete"];
    item.as_object_mut()
        .into_iter()
        .flatten()
        .filter(move |(key, _)| methods.contains(&key.as_str()))
        .map(|(_, op)| op)
}

fn add_errors(operation: &mut Value) {
    let body: &[_] = if operation.get("requestBody").is_some() { &BODY_ERRORS } else { &[] };
    for (status, name) in ERRORS.iter().chain(body) {
        operation["responses"][*status] = json!({ "$ref": format!("#/components/responses/{name}") });
    }
    // A cancellation needs no reason.
    if operation["operationId"] == "cancelReservation" {
        operation["requestBody"]["required"] = false.into();
    }
}

fn describe_key(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten().filter(|one| one["name"] == "Idempotency-Key") {
        parameter["schema"] =
            json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": KEY_PATTERN });
    }
}

/// The payments have a second name, and so second ids.
fn add_aliases(paths: &mut Map<String, Value>) {
    let aliases: Vec<_> = paths
        .iter()
        .filter_map(|(path, item)| Some((path.strip_prefix("/api/v1/payment/")?.to_owned(), item.clone())))
        .collect();
    for (path, mut item) in aliases {
        for operation in operations(&mut item) {
            let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
            let (id, summary, description) = (text("operationId"), text("summary"), text("description"));
            operation["operationId"] = format!("{id}Alias").into();
            operation["summary"] = format!("{summary} (alias)").into();
            operation["description"] = format!("An alias of `/api/v1/payment/…`. {description}").into();
        }
        paths.insert(format!("/api/v1/payments/{path}"), item);
    }
}

fn trace_header() -> Value {
    json!({ "$ref": "#/components/headers/TraceId" })
}

/// Every answer with a body has the trace's header.
fn add_headers(operation: &mut Value) {
    let responses = operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for response in responses.filter(|response| response.get("content").is_some()) {
        response["headers"]["X-Trace-Id"] = trace_header();
        if let Some(cached) = response["headers"].get_mut("X-Idempotency-Cached") {
            *cached = json!({ "$ref": "#/components/headers/IdempotencyCached" });
        }
    }
}

fn tags() -> Value {
    json!([
        {
            "name": "Events",
            "description": "The shows on sale and their seats. Counts and statuses are at most \
                            about 250 ms old, and while the inventory does not answer up to 30 \
                            s.",
        },
        {
            "name": "Waiting room",
            "description": "The line of a show. A place is kept in a signed token, and nobody is \
                            overtaken.",
        },
        {
            "name": "Reservations",
            "description": "Seats held for a buyer until they are paid, given back or run out.",
        },
        {
            "name": "Payments",
            "description": "A simulated payment provider. Every path is also there under \
                            `/payments/…`.",
        },
        {
            "name": "Operations",
            "description": "Probes, metrics and this description.",
        },
    ])
}

fn headers() -> Value {
    let integer = |least: u64, description: &str, is_always: bool| {
        let mut header =
            json!({ "description": description, "schema": { "type": "integer", "minimum": least } });
        if is_always {
            header["required"] = true.into();
        }
        header
    };
    let retry = "Whole seconds to wait before the next try.";
    json!({
        "TraceId": {
            "description": "The trace of this request. Send `traceparent` or `X-Trace-Id` to \
                            choose it.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
            "required": true,
        },
        "RetryAfter": integer(1, retry, false),
        "RetryAfterAlways": integer(1, retry, true),
        "RateLimit": integer(1, "Requests that are let through at once.", true),
        "RateRemaining": integer(0, "Requests that are left at present.", true),
        "RateReset": integer(0, "When there will be more, in seconds since 1970.", true),
        "IdempotencyCached": {
            "description": "`true` if this answer was recorded earlier and nothing was done now.",
            "schema": { "type": "string", "enum": ["true"] },
        },
    })
}

/// The schemas that no body has: the error, the answers of the process, and what a derive cannot
/// say.
fn complete_schemas(schemas: &mut Value) {
    let codes: Vec<_> = TABLE.iter().map(|row| row.text).chain(["NOT_READY"]).collect();
    schemas["Error"] = json!({
        "type": "object",
        "description": "Every error has this shape.",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "description": "What went wrong.",
            "required": ["code", "message", "trace_id"],
            "properties": {
                "code": { "type": "string", "enum": codes, "description": "What to decide by." },
                "message": { "type": "string", "description": "For people." },
                "trace_id": { "type": "string", "description": "Quote it to whoever runs the site." },
                "details": {
                    "type": "array",
                    "description": "Particulars, if there are any.",
                    "items": {
                        "type": "object",
                        "description": "One particular.",
                        "required": ["field", "reason", "value"],
                        "properties": {
                            "field": { "type": "string", "description": "What it is about, such as `seat_ids`." },
                            "reason": {
                                "type": "string",
                                "description": "An upper-case word, such as `NO_SUCH_SEAT`.",
                            },
                            "value": { "type": "string", "description": "The particular, such as the seat." },
                        },
                    },
                },
            },
        }},
    });
    schemas["Health"] = json!({
        "type": "object",
        "description": "The answer of a probe.",
        "required": [
            "status",
            "checks",
            "reasons"
        ],
        "properties": {
            "status": {
                "type": "string",
                "enum": [
                    "ok",
                    "not alive",
                    "not ready",
                    "draining"
                ],
                "description": "The verdict."
            },
            "checks": {
                "type": "object",
                "additionalProperties": {
                    "type": "string"
                },
                "description": "Every check by name: `ok` or what is wrong."
            },
            "reasons": {
                "type": "array",
                "items": {
                    "type": "string"
                },
                "description": "The checks that fail, with their reasons."
            }
        }
    });
    schemas["Version"] = json!({
        "type": "object",
        "description": "A program.",
        "required": [
            "name",
            "version"
        ],
        "properties": {
            "name": {
                "type": "string",
                "description": "Which."
            },
            "version": {
                "type": "string",
                "description": "Its version."
            }
        }
    });
    let data = &mut schemas["StatusEvent"]["properties"]["data"];
    data["contentSchema"] = json!({ "$ref": "#/components/schemas/QueueStatus" });
    let create = &mut schemas["CreateRequest"];
    create["properties"]["seat_ids"]["uniqueItems"] = true.into();
    create["anyOf"] = json!([
        { "title": "by name", "required": ["seat_ids"], "properties": { "seat_ids": { "minItems": 1 } } },
        { "title": "by number", "required": ["quantity"] },
    ]);
    schemas["Availability"]["properties"]["sections"]["minItems"] = 1.into();
}

/// The operations that every process has, and the pages.
fn process_operations() -> Map<String, Value> {
    let ok = json!({ "status": "ok", "checks": { "store": "ok" }, "reasons": [] });
    let not_ready =
        json!({ "status": "not ready", "checks": { "store": "no answer" }, "reasons": ["store: no answer"] });
    let health = |description: &str, example: &Value| {
        let schema = json!({ "$ref": "#/components/schemas/Health" });
        json!({ "description": description, "content": { "application/json": { "schema": schema, "example": example } } })
    };
    let operation = |id: &str, summary: &str, description: &str, responses: Value| {
        let mut operation = json!({
            "operationId": id,
            "tags": ["Operations"],
            "summary": summary,
            "description": description,
            "security": [],
            "responses": responses,
        });
        operation["responses"]["500"] = json!({ "$ref": "#/components/responses/Internal" });
        json!({ "get": operation })
    };
    let probe = |id: &str, summary: &str, description: &str| {
        let responses = json!({ "200": health("Yes.", &ok), "503": health("No, and why.", &not_ready) });
        operation(id, summary, description, responses)
    };
    let text = |description: &str, kind: &str, content: Value| json!({ "200": { "description": description, "content": { kind: content } } });
    let page = || text("A page.", "text/html", json!({ "schema": { "type": "string" } }));
    let items = [
        (
            "/health",
            probe("getHealth", "Is it alive?", "Whether the process works. If not, it should be restarted."),
        ),
        ("/healthz", probe("getHealthz", "Is it alive? (alias)", "The same as `/health`.")),
        (
            "/ready",
            probe(
                "getReady",
                "Is it ready?",
                "Whether the process can do its job now. If not, it should get no requests.",
            ),
        ),
        ("/readyz", probe("getReadyz", "Is it ready? (alias)", "The same as `/ready`.")),
        (
            "/metrics",
            operation(
                "getMetrics",
                "Metrics",
                "Every metric of the process in the OpenMetrics text format, for Prometheus.",
                text(
                    "The metrics.",
                    "application/openmetrics-text",
                    json!({
                        "schema": {
                            "type": "string"
                        },
                        "example": "# TYPE http_server_requests counter\n# EOF\n"
                    }),
                ),
            ),
        ),
        (
            "/version",
            operation(
                "getVersion",
                "Version",
                "Which program answers, and its version.",
                text(
                    "The version.",
                    "application/json",
                    json!({
                        "schema": {
                            "$ref": "#/components/schemas/Version"
                        },
                        "example": {
                            "name": "gateway-api",
                            "version": "0.1.0"
                        }
                    }),
                ),
            ),
        ),
        (
            "/openapi.json",
            operation(
                "getOpenApi",
                "This description",
                "This document.",
                text(
                    "An OpenAPI document.",
                    "application/json",
                    json!({
                        "schema": {
                            "type": "object",
                            "description": "An OpenAPI document.",
                            "required": [
                                "openapi",
                                "info",
                                "paths"
                            ],
                            "properties": {
                                "openapi": {
                                    "type": "string",
                                    "description": "The version of OpenAPI."
                                },
                                "info": {
                                    "type": "object"
                                },
                                "paths": {
                                    "type": "object"
                                }
                            }
                        }
                    }),
                ),
            ),
        ),
        (
            "/docs",
            operation(
                "getDocs",
                "This description, to read and try",
                "A page that shows this document.",
                page(),
            ),
        ),
        ("/", operation("getSalePage", "The page of the sale", "The page on which people buy.", page())),
    ];
    items.into_iter().map(|(path, item)| (path.to_owned(), item)).collect()
}

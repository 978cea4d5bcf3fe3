//! The OpenAPI document of the public port, made from the handlers.
//!
//! The handlers describe their own parameters, bodies and answers. This module adds what would
//! repeat in their descriptions or belongs to no handler: the errors, the trace's header, the
//! aliases of the payments' paths, examples and links (`openapi/operations.json`), and the
//! operations of every process (`openapi/document.json`).

pub(super) mod errors;

use super::api;
use contracts::IdempotencyKey;
use contracts::error::TABLE;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa_axum::router::OpenApiRouter;

/// The examples and links of each operation, by its id.
const OPERATIONS: &str = include_str!("openapi/operations.json");
/// What no handler describes: the head, the operations of every process, schemas without a type.
const DOCUMENT: &str = include_str!("openapi/document.json");

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

/// Parameters that several operations have: the beginning of the path, the name, the description
/// and an example.
const PARAMETERS: [(&str, &str, &str, &str); 6] = [
    (
        "/api/v1/",
        "Idempotency-Key",
        "1 to 128 printable ASCII characters of your choice, the same at every retry of the same request.",
        "buy-7c1f",
    ),
    (
        "/api/v1/queue/",
        "token",
        "The token of join, as it was given.",
        "q1.eyJzaG93IjoiZXZ0XzIwMjVfMTAwMSIsIm4iOjQyfQ.5rGm3yfXl2nQdX3m6G0bWg",
    ),
    ("/api/v1/events/", "id", "The show.", "evt_2025_1001"),
    ("/api/v1/events/", "section", "The section.", "R"),
    ("/api/v1/reservations/", "id", "The reservation.", "rsv_a4a5af7f13403cbfe7f047e4a5dc975a"),
    ("/api/v1/payment/", "id", "The payment.", "pay_5b8aa5a2d2c872e8321cf37308d69df2"),
];

/// The document, as `GET /openapi.json` answers it.
pub fn document() -> &'static Value {
    static COMPLETE: LazyLock<Value> = LazyLock::new(|| {
        let api = OpenApiRouter::new().nest("/api/v1", api::described()).into_openapi();
        complete(serde_json::to_value(&api).expect("a document has text keys"))
    });
    &COMPLETE
}

fn complete(mut document: Value) -> Value {
    merge_descriptions(&mut document);
    let more = parsed(OPERATIONS);
    let paths = document["paths"].as_object_mut().expect("an object");
    for (path, item) in paths.iter_mut() {
        for operation in operations(item) {
            add_errors(operation);
            describe_parameters(path, operation);
            if let Some(more) = operation["operationId"].as_str().and_then(|id| more.get(id)) {
                merge(operation, more);
            }
        }
    }
    add_aliases(paths);
    // In place of what utoipa took from a manifest.
    document["info"] = Value::Null;
    merge(&mut document, &parsed(DOCUMENT));
    document["info"]["description"] = include_str!("openapi/description.md").trim_end().into();
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    items.flat_map(operations).for_each(add_headers);
    let components = &mut document["components"];
    components["responses"] = errors::responses().into();
    for response in components["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        response["headers"]["X-Trace-Id"] = trace_header();
    }
    let codes: Vec<_> = TABLE.iter().map(|row| row.text).chain(["NOT_READY"]).collect();
    components["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"] = json!(codes);
    document
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a file of this crate, which the tests read")
}

/// Adds every member of `more`, down to members that are no objects.
fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
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

fn describe_parameters(path: &str, operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let is_this = |(below, name, ..): &&(&str, &str, &str, &str)| {
            path.starts_with(below) && parameter["name"] == *name
        };
        if let Some((.., description, example)) = PARAMETERS.iter().find(is_this) {
            parameter["description"] = (*description).into();
            parameter["example"] = (*example).into();
        }
        if parameter["name"] == "Idempotency-Key" {
            let max = IdempotencyKey::BYTES_MAX;
            parameter["schema"] =
                json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": KEY_PATTERN });
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_operation_of_the_api_has_its_examples() {
        let described = OpenApiRouter::new().nest("/api/v1", api::described()).into_openapi();
        let mut described = serde_json::to_value(&described).unwrap();
        let items = described["paths"].as_object_mut().unwrap().values_mut();
        let ids: BTreeSet<_> =
            items.flat_map(operations).map(|op| op["operationId"].as_str().unwrap().to_owned()).collect();
        let examples = parsed(OPERATIONS).as_object().unwrap().keys().cloned().collect();
        assert_eq!(ids, examples, "openapi/operations.json");
    }
}

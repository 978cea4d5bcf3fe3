//! `tacos openapi`: the description of an HTTP API, without a running platform.

use crate::exit::Exit;
use crate::output::print;
use clap::{Args, ValueEnum};
use serde_json::Value;
use utoipa::openapi::OpenApi;

#[derive(Debug, Args)]
pub(crate) struct OpenApiArgs {
    /// The service.
    service: Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Service {
    GatewayApi,
    InventoryApi,
    PaymentSimApi,
    ReservationApi,
    ReservationWorker,
}

pub(crate) fn run(args: &OpenApiArgs) -> Exit {
    print(format_args!("{:#}", args.service.document()));
    Exit::Done
}

impl Service {
    /// What the service answers to `GET /openapi.json`.
    fn document(self) -> Value {
        match self {
            Self::GatewayApi => gateway::openapi().clone(),
            Self::InventoryApi => value(&inventory::openapi()),
            Self::PaymentSimApi => value(&payment::openapi()),
            Self::ReservationApi => value(&reservation::openapi()),
            Self::ReservationWorker => value(&worker::openapi()),
        }
    }
}

fn value(document: &OpenApi) -> Value {
    serde_json::to_value(document).expect("a document has text keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row for each operation of an internal port: service, method and path, what it does, and
    /// whether it asks for the internal token.
    fn table() -> Vec<String> {
        let mut rows = Vec::new();
        for service in Service::value_variants().iter().filter(|service| **service != Service::GatewayApi) {
            let document = service.document();
            for (path, item) in document["paths"].as_object().expect("an object") {
                for (method, operation) in item.as_object().expect("an object") {
                    let (name, method) = (document["info"]["title"].as_str(), method.to_uppercase());
                    let summary = operation["summary"].as_str().unwrap_or_default();
                    let token = if operation.get("security").is_some() { "yes" } else { "–" };
                    let name = name.expect("a title");
                    rows.push(format!("| {name} | {method} {path} | {summary} | {token} |"));
                }
            }
        }
        rows
    }

    #[test]
    fn the_contracts_list_every_operation() {
        let contracts = include_str!("../../../../docs/contracts.md");
        for row in table() {
            assert!(contracts.lines().any(|line| line == row), "docs/contracts.md lacks this row:\n{row}");
        }
    }

    #[test]
    fn every_operation_says_what_it_does() {
        for row in table() {
            assert!(!row.contains("|  |"), "no summary: {row}");
        }
    }
}

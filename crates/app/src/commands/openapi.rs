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
    use std::collections::BTreeSet;

    const CONTRACTS: &str = include_str!("../../../../docs/contracts.md");

    /// The rows of the table in the document that has this header.
    fn listed(header: &str) -> Vec<&'static str> {
        let table = CONTRACTS.lines().skip_while(|line| *line != header);
        table.skip(2).take_while(|line| line.starts_with('|')).collect()
    }

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
        let (listed, served) = (listed("| service | method, path | what it does | token |"), table());
        for row in &served {
            assert!(listed.contains(&row.as_str()), "docs/contracts.md lacks this row:\n{row}");
        }
        for row in listed {
            assert!(
                served.iter().any(|known| known == row),
                "docs/contracts.md: nobody serves this row:\n{row}"
            );
        }
    }

    /// A row may have several: `POST or DELETE /queue/leave?token=, GET /queue`.
    #[test]
    fn the_contracts_list_every_operation_of_the_gateway() {
        let (mut served, mut listed_here) = (BTreeSet::new(), BTreeSet::new());
        for (path, item) in Service::GatewayApi.document()["paths"].as_object().expect("an object") {
            let path = path.strip_prefix("/api/v1").filter(|path| !path.starts_with("/payments/"));
            let Some(path) = path else { continue };
            let methods = item.as_object().expect("an object").keys();
            served.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        }
        for row in listed("| method, path | request | success | errors |") {
            for operation in row.split('|').nth(1).unwrap_or_default().trim().split(", ") {
                let (methods, path) = operation.rsplit_once(' ').expect("a method and a path");
                let path = path.split('?').next().unwrap_or_default();
                listed_here.extend(methods.split(" or ").map(|method| format!("{method} {path}")));
            }
        }
        let (added, gone): (Vec<_>, Vec<_>) =
            (served.difference(&listed_here).collect(), listed_here.difference(&served).collect());
        assert!(
            added.is_empty() && gone.is_empty(),
            "docs/contracts.md, gateway-api: add {added:?}, remove {gone:?}"
        );
    }

    #[test]
    fn every_operation_says_what_it_does() {
        for row in table() {
            assert!(!row.contains("|  |"), "no summary: {row}");
        }
    }
}

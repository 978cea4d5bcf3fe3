//! The operations of every HTTP port, from the OpenAPI documents that the ports serve.
//!
//! `docs/contracts.md` has a table of them. The test below fails when it lacks an operation, and
//! prints the row to paste.

use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

/// The document of each service that has routes of its own.
pub fn documents() -> Vec<OpenApi> {
    vec![inventory::openapi(), payment::openapi(), reservation::openapi(), worker::openapi()]
}

/// A row for each operation: service, method and path, what it does, and whether it asks for the
/// internal token.
pub fn table() -> String {
    let mut text = "| service | method, path | what it does | token |\n|---|---|---|---|\n".to_owned();
    for document in documents() {
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                let summary = operation.summary.as_deref().unwrap_or_default();
                let token = if operation.security.is_some() { "yes" } else { "–" };
                let service = &document.info.title;
                text.push_str(&format!("| {service} | {method} {path} | {summary} | {token} |\n"));
            }
        }
    }
    text
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_list_every_operation() {
        let contracts = include_str!("../../../docs/contracts.md");
        for row in table().lines().skip(2) {
            let operation: Vec<_> = row.split(" | ").take(2).collect();
            assert!(contracts.contains(&operation.join(" | ")), "docs/contracts.md lacks this row:\n{row}");
        }
    }

    #[test]
    fn every_operation_says_what_it_does() {
        for row in table().lines().skip(2) {
            assert!(!row.contains("|  |"), "no summary: {row}");
        }
    }
}

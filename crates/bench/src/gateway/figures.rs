//! The figures of gateways, as a table.

use serde_json::Value;

/// The figures that scripts rely on (docs/contracts.md#commands), in this order; the others follow
/// by name.
const FIRST: [&str; 17] = [
    "requests_per_second",
    "p50_ms",
    "p99_ms",
    "p999_ms",
    "errors",
    "status_store_calls",
    "admitted_per_second",
    "holds",
    "gateway_cpu_us_per_request",
    "gateway_cores",
    "store_cpu_us_per_request",
    "store_cores",
    "generator_cpu_us_per_request",
    "generator_cores",
    "cores_of_other_programs",
    "admission_rate",
    "admission_utilisation",
];

/// One line a figure, one column a run.
pub fn table(runs: &[Value]) -> String {
    let flat: Vec<Value> = runs.iter().map(flat).collect();
    crate::columns(&flat, &FIRST)
}

/// What is an object in an object becomes figures of its own: `store_calls.beat`.
fn flat(run: &Value) -> Value {
    let mut flat = serde_json::Map::new();
    for (name, value) in run.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(inner) => {
                flat.extend(inner.iter().map(|(part, value)| (format!("{name}.{part}"), value.clone())))
            }
            None => drop(flat.insert(name.clone(), value.clone())),
        }
    }
    flat.into()
}

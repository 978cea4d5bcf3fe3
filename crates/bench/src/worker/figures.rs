//! The figures of a run (docs/contracts.md#commands), and their table.

use super::run::{Latencies, Seen};
use crate::{columns, round};
use serde_json::{Value, json};
use std::time::Duration;

/// The figures of a run. Those that scripts rely on come first; the others say what the run
/// was bounded by.
pub fn of(seen: &Seen) -> Value {
    let window = &seen.window;
    let settled = window.settled.max(1) as f64;
    let seconds = window.took.as_secs_f64();
    let rate = window.settled as f64 / seconds;
    let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
    let quantile = |times: &[Duration], share| ms(Latencies::quantile(times, share));
    let latencies = &seen.latencies;
    let mut figures = json!({
        "name": seen.name,
        "events_per_second": rate.round(),
        "cpu_us_per_event": round(window.worker_cpu.as_secs_f64() * 1e6 / settled),
        "sqs_calls_per_event": (window.calls as f64 / settled * 1e3).round() / 1e3,
        "rss_max_mb": round(seen.rss_max_mb),
        "p50_ms": quantile(&latencies.whole, 0.50),
        "p95_ms": quantile(&latencies.whole, 0.95),
        "p99_ms": quantile(&latencies.whole, 0.99),
        "own_p99_ms": quantile(&latencies.own, 0.99),
        "delete_batch": round(window.settled as f64 / window.deletes.max(1) as f64),
        "first_poll_ms": round(seen.first_poll_after.as_secs_f64() * 1e3),
        "own_p50_ms": quantile(&latencies.own, 0.50),
        "in_flight_max": seen.in_flight_max,
        "worker_cores": (window.worker_cpu.as_secs_f64() / seconds * 100.0).round() / 100.0,
        "stand_ins_cores": (window.own_cpu.as_secs_f64() / seconds * 100.0).round() / 100.0,
        "stand_ins_cpu_us_per_event": round(window.own_cpu.as_secs_f64() * 1e6 / settled),
        "downstream_ms_per_event": ms(latencies.downstream_mean()),
        "buried": seen.buried,
        "broken_promises": seen.broken.len(),
    });
    if let Some(slots) = seen.slots {
        let downstream = latencies.downstream_mean().as_secs_f64();
        let allowed = if downstream > 0.0 { slots / downstream } else { f64::INFINITY };
        figures["percent_of_what_slots_allow"] = round(rate / allowed * 100.0).into();
    }
    figures
}

/// One line a figure, one column a run.
pub fn table(runs: &[Value], bursts: &[Value]) -> String {
    let mut text = columns(runs, &CONTRACT);
    if !bursts.is_empty() {
        text.push('\n');
        text.push_str(&columns(bursts, &CONTRACT));
    }
    text
}

/// The figures that scripts rely on, in a fixed order.
const CONTRACT: [&str; 10] = [
    "events_per_second",
    "cpu_us_per_event",
    "sqs_calls_per_event",
    "rss_max_mb",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "own_p99_ms",
    "delete_batch",
    "first_poll_ms",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::run::Window;

    #[test]
    fn the_figures_of_the_contract_are_all_there() {
        let seen = Seen {
            name: "fifo-20".to_owned(),
            slots: Some(20.0),
            first_poll_after: Duration::from_millis(45),
            settled: Vec::new(),
            window: Window {
                took: Duration::from_secs(10),
                settled: 4_900,
                worker_cpu: Duration::from_millis(490),
                own_cpu: Duration::from_millis(490),
                calls: 980,
                deletes: 490,
            },
            rss_max_mb: 20.04,
            in_flight_max: 30,
            buried: 0,
            latencies: Latencies {
                whole: vec![Duration::from_millis(42); 100],
                own: vec![Duration::from_millis(2); 100],
                downstream: vec![Duration::from_millis(40); 100],
            },
            broken: Vec::new(),
        };
        let figures = of(&seen);
        assert!(CONTRACT.iter().all(|name| figures[*name].is_number()), "{figures}");
        assert_eq!(figures["events_per_second"], 490.0);
        assert_eq!(figures["cpu_us_per_event"], 100.0);
        assert_eq!((&figures["sqs_calls_per_event"], &figures["delete_batch"]), (&0.2.into(), &10.0.into()));
        assert_eq!(figures["percent_of_what_slots_allow"], 98.0);
        let table = table(&[figures], &[]);
        assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("events_per_second")), "{table}");
    }
}

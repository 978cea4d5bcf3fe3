//! Counts of the measured window.

use super::wire::Operation;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longer than the wait for any answer, in microseconds.
const LATENCY_MAX_US: u64 = 120_000_000;
/// How long a pass is good for (`PASS_TTL` of the gateway), where it says only when it ends.
const PASS_MS: u64 = 30_000;

/// Counts and latencies. Latencies are in microseconds, from when a request was to be sent.
pub(super) struct Tally {
    latencies: [Histogram<u64>; 3],
    /// From when a request was to be sent until it was.
    lag: Histogram<u64>,
    /// From when a request was sent until it was answered.
    answers: [Histogram<u64>; 3],
    answered: u64,
    errors: BTreeMap<String, u64>,
    /// Enters before their turn, refused as expected.
    pub(super) not_ready: u64,
    /// Polls that were answered `expired`.
    pub(super) lapsed: u64,
    /// People that did not use their turn.
    pub(super) no_shows: u64,
    /// Polls for which there was nobody, so that somebody joined instead.
    pub(super) dry: u64,
    /// Passes, and when each came, in nanoseconds.
    passes: Vec<(Box<[u8]>, u64)>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("these are bounds");
        Self {
            latencies: std::array::from_fn(|_| histogram()),
            lag: histogram(),
            answers: std::array::from_fn(|_| histogram()),
            answered: 0,
            errors: BTreeMap::new(),
            not_ready: 0,
            lapsed: 0,
            no_shows: 0,
            dry: 0,
            passes: Vec::new(),
        }
    }

    /// A request was answered as it should be.
    pub(super) fn answered(&mut self, operation: Operation, due: u64, sent: u64, now: u64) {
        self.latencies[operation as usize].saturating_record(now.saturating_sub(due) / 1_000);
        self.answers[operation as usize].saturating_record(now.saturating_sub(sent) / 1_000);
        self.answered += 1;
        self.lag.saturating_record(sent.saturating_sub(due) / 1_000);
    }

    /// Requests that were answered as they should be, and passes among the answers.
    pub(super) const fn so_far(&self) -> (u64, usize) {
        (self.answered, self.passes.len())
    }

    /// A request was due and has not been sent by the end: it took at least until now.
    pub(super) fn unsent(&mut self, operation: Operation, due: u64, now: u64) {
        self.latencies[operation as usize].saturating_record(now.saturating_sub(due) / 1_000);
    }

    pub(super) fn error(&mut self, operation: Operation, what: &str) {
        let name = format!("{} {what}", operation.name());
        *self.errors.entry(name).or_default() += 1;
    }

    pub(super) fn passed(&mut self, pass: &[u8], now: u64) {
        self.passes.push((pass.into(), now));
    }

    /// The counts.
    pub(super) fn figures(&self) -> Value {
        let mut all = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_US, 3).expect("these are bounds");
        for latency in &self.latencies {
            all.add(latency).expect("all have the same bounds");
        }
        let ms = |histogram: &Histogram<u64>, share| {
            (histogram.value_at_quantile(share) as f64 / 10.0).round() / 100.0
        };
        let mut figures = json!({
            "answered": self.answered,
            "p50_ms": ms(&all, 0.5),
            "p99_ms": ms(&all, 0.99),
            "p999_ms": ms(&all, 0.999),
            "max_ms": (all.max() as f64 / 10.0).round() / 100.0,
            "send_lag_p99_ms": ms(&self.lag, 0.99),
            "errors": self.errors.values().sum::<u64>(),
            "errors_by_kind": self.errors,
            "not_ready": self.not_ready,
            "lapsed": self.lapsed,
            "no_shows": self.no_shows,
            "polls_without_anybody": self.dry,
        });
        for operation in Operation::ALL {
            let name = operation.name();
            let (latency, answer) = (&self.latencies[operation as usize], &self.answers[operation as usize]);
            figures[operation.plural()] = answer.len().into();
            figures[format!("{name}_answer_p50_ms")] = ms(answer, 0.5).into();
            figures[format!("{name}_answer_p99_ms")] = ms(answer, 0.99).into();
            figures[format!("{name}_p50_ms")] = ms(latency, 0.5).into();
            figures[format!("{name}_p99_ms")] = ms(latency, 0.99).into();
        }
        let (times, by_pass) = self.admitted_at();
        figures["admitted"] = times.len().into();
        figures["admitted_in_densest_second"] = densest(&times).into();
        figures["admitted_by_clock_of"] = if by_pass { "store" } else { "generator" }.into();
        figures
    }

    /// When each pass was given, in milliseconds and in order: as the passes say, or when they
    /// came if one does not say it.
    fn admitted_at(&self) -> (Vec<u64>, bool) {
        let passed_at: Option<Vec<u64>> = self.passes.iter().map(|(pass, _)| given_at(pass)).collect();
        let by_pass = passed_at.is_some();
        let mut times =
            passed_at.unwrap_or_else(|| self.passes.iter().map(|(_, came)| came / 1_000_000).collect());
        times.sort_unstable();
        (times, by_pass)
    }
}

/// When a pass was given, by the clock of the store.
fn given_at(pass: &[u8]) -> Option<u64> {
    let payload = pass.strip_prefix(b"p1.")?.split(|byte| *byte == b'.').next()?;
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    payload["exp"].as_u64()?.checked_sub(PASS_MS)
}

/// The most in any 1,000 ms.
fn densest(times: &[u64]) -> usize {
    let mut from = 0;
    let within = times.iter().enumerate().map(|(to, at)| {
        while times[from] + 1_000 <= *at {
            from += 1;
        }
        to + 1 - from
    });
    within.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_densest_second_is_any_1000_ms() {
        assert_eq!(densest(&[]), 0);
        assert_eq!(densest(&[0, 999, 1_000, 1_500, 1_998, 1_999, 5_000]), 4);
    }

    #[test]
    fn a_pass_says_when_it_was_given() {
        let payload =
            "eyJpZCI6InNob3c6NyIsInNob3ciOiJzaG93IiwicGVyc29uIjoia2ltIiwiZXhwIjoxNzUwMDAwMDMwMDAwfQ";
        let mut tally = Tally::new();
        tally.passed(format!("p1.{payload}.sig").as_bytes(), 7_000_000);
        assert_eq!(tally.admitted_at(), (vec![1_750_000_000_000], true));
        tally.passed(b"of somebody else", 8_000_000);
        assert_eq!(tally.admitted_at(), (vec![7, 8], false));
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due() {
        let mut tally = Tally::new();
        tally.answered(Operation::Status, 1_000_000, 4_000_000, 6_000_000);
        tally.error(Operation::Join, "503");
        let figures = tally.figures();
        assert_eq!((&figures["p50_ms"], &figures["send_lag_p99_ms"]), (&5.0.into(), &3.0.into()));
        assert_eq!((&figures["answered"], &figures["errors"]), (&1.into(), &1.into()));
    }

    /// A stalled gateway is charged for the people whose requests were never sent.
    #[test]
    fn what_was_not_sent_has_taken_until_the_end() {
        let mut tally = Tally::new();
        tally.answered(Operation::Status, 0, 0, 1_000_000);
        tally.unsent(Operation::Status, 0, 500_000_000);
        let figures = tally.figures();
        assert!(figures["p99_ms"].as_f64() >= Some(499.0), "{figures}");
        assert_eq!(figures["statuses"], 1, "one answer came");
    }
}

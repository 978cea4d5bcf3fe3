//! Estimates against real waits: counts while a sale runs, figures at its end, and the table of
//! all sales.

use crate::round;
use serde_json::{Value, json};

/// An estimate is too short only beyond this share and beyond this many seconds.
const SLACK: (f64, f64) = (0.1, 5.0);

/// Estimates from before the rules changed, or from after.
#[derive(Debug, Default)]
pub(super) struct Estimates {
    /// People who got an estimate and had their turn.
    pub(super) people: u64,
    /// How often nobody could say.
    pub(super) unknown: u64,
    /// How often an estimate rose though the line was as fast.
    pub(super) rises: u64,
    /// Estimated and real seconds.
    waits: Vec<(f32, f32)>,
    /// The same for estimates at the join.
    joins: Vec<(f32, f32)>,
}

impl Estimates {
    /// Adds an estimate and the real wait, both in seconds; `first`: it is from the join.
    pub(super) fn add(&mut self, estimated: f32, real: f32, first: bool) {
        self.waits.push((estimated, real));
        if first {
            self.joins.push((estimated, real));
        }
    }

    pub(super) fn figures(&self, name: &str, seed: u64) -> Value {
        let count = self.waits.len().max(1) as f64;
        let seconds = |waits: &[(f32, f32)]| sorted(waits, |estimated, real| (estimated - real).abs());
        let shares = |waits: &[(f32, f32)]| {
            let long: Vec<_> = waits.iter().copied().filter(|(_, real)| *real >= 1.0).collect();
            sorted(&long, |estimated, real| (estimated - real).abs() / real * 100.0)
        };
        let is_short = |(estimated, real): &&(f32, f32)| {
            f64::from(real - estimated) > SLACK.1.max(f64::from(*real) * SLACK.0)
        };
        let short = self.waits.iter().filter(is_short).count() as f64;
        let waited = sorted(&self.waits, |_, real| real);
        json!({
            "name": name,
            "seed": seed,
            "people": self.people,
            "estimates": self.waits.len(),
            "wait_p50_s": round(quantile(&waited, 0.5)),
            "error_p50_s": hundredths(quantile(&seconds(&self.waits), 0.5)),
            "error_p50_percent": round(quantile(&shares(&self.waits), 0.5)),
            "error_p90_s": round(quantile(&seconds(&self.waits), 0.9)),
            "error_p90_percent": round(quantile(&shares(&self.waits), 0.9)),
            "error_p50_at_join_percent": round(quantile(&shares(&self.joins), 0.5)),
            "too_little_percent": hundredths(short / count * 100.0),
            "rises_per_1000": hundredths(self.rises as f64 / count * 1e3),
            "unknown": self.unknown,
        })
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn sorted(waits: &[(f32, f32)], of: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let mut values: Vec<f32> = waits.iter().map(|(estimated, real)| of(*estimated, *real)).collect();
    values.sort_unstable_by(f32::total_cmp);
    values
}

fn quantile(sorted: &[f32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default().into()
}

/// A column of the table: its head in two lines, and the figure.
const COLUMNS: [(&str, &str, &str); 11] = [
    ("people", "", "people"),
    ("estimates", "times", "estimates"),
    ("wait", "p50 s", "wait_p50_s"),
    ("error", "p50 s", "error_p50_s"),
    ("error", "p50 %", "error_p50_percent"),
    ("error", "p90 s", "error_p90_s"),
    ("error", "p90 %", "error_p90_percent"),
    ("at join", "p50 %", "error_p50_at_join_percent"),
    ("too", "little %", "too_little_percent"),
    ("rises", "of 1,000", "rises_per_1000"),
    ("nobody", "knew", "unknown"),
];

/// A row for each sale, or two where the rules changed.
pub fn table(rows: &[Value]) -> String {
    let mut text = String::new();
    let heads = [COLUMNS.map(|(first, _, _)| first), COLUMNS.map(|(_, second, _)| second)];
    for heads in heads {
        text.push_str(&format!("{:<22}", ""));
        heads.iter().for_each(|head| text.push_str(&format!("{head:>10}")));
        text.push('\n');
    }
    for row in rows {
        text.push_str(&format!("{:<22}", row["name"].as_str().unwrap_or_default()));
        for (_, _, name) in COLUMNS {
            text.push_str(&format!("{:>10}", row[name].to_string()));
        }
        text.push('\n');
    }
    text
}

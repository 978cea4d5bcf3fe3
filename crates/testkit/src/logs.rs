//! Captures what a test logs.

use core::fmt;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// One logged event, without the fields of its spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How severe it is.
    pub level: Level,
    /// The message.
    pub message: String,
    /// The fields by name, as they would be printed.
    pub fields: BTreeMap<&'static str, String>,
}

/// Everything that this thread logs while this value lives. Use it in tests that run on one thread.
#[must_use = "captures only while it lives"]
pub struct Logs {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<LogLine>>>);

impl Logs {
    /// Begins to capture, every level.
    pub fn capture() -> Self {
        let lines = Lines::default();
        let subscriber = Registry::default().with(lines.clone());
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything so far.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.0.lock().clone()
    }

    /// The lines with this message.
    pub fn with_message(&self, message: &str) -> Vec<LogLine> {
        self.lines().into_iter().filter(|line| line.message == message).collect()
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line =
            LogLine { level: *event.metadata().level(), message: String::new(), fields: BTreeMap::new() };
        event.record(&mut Fields(&mut line));
        self.0.lock().push(line);
    }
}

struct Fields<'a>(&'a mut LogLine);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.0.message = text,
            name => drop(self.0.fields.insert(name, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_level_message_and_fields() {
        let logs = Logs::capture();
        tracing::warn!(reservation_id = "rsv_1", attempt = 2, event = %"expired", "message rejected");
        let line = &logs.with_message("message rejected")[0];
        assert_eq!(line.level, Level::WARN);
        let fields: Vec<_> = line.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(fields, [("attempt", "2"), ("event", "expired"), ("reservation_id", "rsv_1")]);
    }

    #[test]
    fn nothing_is_captured_after_it_is_dropped() {
        drop(Logs::capture());
        let logs = Logs::capture();
        assert!(logs.lines().is_empty());
    }
}

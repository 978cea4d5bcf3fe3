//! One line an event.

use super::Format;
use super::fields::{Entry, Fields, Style, json_string};
use super::writer::LineQueue;
use crate::SystemClock;
use domain::time::Timestamp;
use jiff::tz::TimeZone;
use ports::Clock;
use std::fmt::Write;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes every event that reaches it as one line.
pub(super) struct LineLayer {
    format: Format,
    /// What every JSON line ends with.
    tail: String,
    clock: SystemClock,
    queue: LineQueue,
}

impl LineLayer {
    pub(super) fn new(format: Format, pod_name: Option<&str>, queue: LineQueue) -> Self {
        let tail = pod_name.map(|name| format!(",\"pod_name\":{}", json_string(name))).unwrap_or_default();
        Self { format, tail, clock: SystemClock::new(), queue }
    }

    fn style(&self) -> Style {
        match self.format {
            Format::Json => Style::Json,
            Format::Human { .. } => Style::Human,
        }
    }

    fn json(&self, event: &Event<'_>, fields: &Fields) -> String {
        let meta = event.metadata();
        let mut line = String::with_capacity(320);
        let level = level_name(*meta.level());
        let _ = write!(line, "{{\"ts\":\"{}\",\"level\":\"{level}\",\"msg\":", instant(self.clock.now()));
        line.push_str(&json_string(&fields.message));
        for Entry { name, value } in &fields.entries {
            // Names are Rust identifiers with dots at most: nothing in them needs escaping.
            let _ = write!(line, ",\"{name}\":{value}");
        }
        let _ = write!(line, ",\"target\":\"{}\"", meta.target());
        line.push_str(&self.tail);
        line.push_str("}\n");
        line
    }

    fn human(&self, event: &Event<'_>, fields: &Fields, colour: bool) -> String {
        let meta = event.metadata();
        let time = instant(self.clock.now());
        let (on, off) = if colour { (paint(*meta.level()), "\u{1b}[0m") } else { ("", "") };
        let level = level_name(*meta.level());
        // The part of `2026-01-01T20:00:00.123Z` that a person at the terminal does not know.
        let time = time.get(11..23).unwrap_or(&time);
        let crate_name = meta.target().split("::").next().unwrap_or_default();
        let mut line = format!("{time} {on}{level:<5}{off} {crate_name}: {}", fields.message);
        for Entry { name, value } in &fields.entries {
            let _ = write!(line, " {name}={value}");
        }
        line.push('\n');
        line
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LineLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new(self.style());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new(self.style());
        event.record(&mut fields);
        // From the inside out: what is nearer to the event wins over what is further away.
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let Some(around) = extensions.get::<Fields>() else { continue };
            let missing = around.entries.iter().filter(|entry| !fields.has(entry.name));
            let missing: Vec<Entry> = missing.cloned().collect();
            fields.entries.extend(missing);
        }
        let line = match self.format {
            Format::Json => self.json(event, &fields),
            Format::Human { colour } => self.human(event, &fields, colour),
        };
        self.queue.push(line);
    }
}

/// RFC 3339 in UTC with milliseconds.
fn instant(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn paint(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG | Level::TRACE => "\u{1b}[2m",
    }
}

//! Fields as text: what an event or a span carries, ready to be joined.

use core::fmt;
use std::error::Error;
use tracing::field::{Field, Visit};

/// One field: its name and its value, as JSON or as a person reads it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Json,
    Human,
}

/// Collects fields; the field `message` apart.
#[derive(Debug)]
pub(super) struct Fields {
    style: Style,
    pub(super) message: String,
    pub(super) entries: Vec<Entry>,
}

impl Fields {
    pub(super) fn new(style: Style) -> Self {
        Self { style, message: String::new(), entries: Vec::new() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    fn text(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            text.clone_into(&mut self.message);
            return;
        }
        let value = match self.style {
            Style::Json => json_string(text),
            // A value with a space would run into the next field.
            Style::Human if text.contains([' ', '"', '\n']) || text.is_empty() => format!("{text:?}"),
            Style::Human => text.to_owned(),
        };
        self.put(field, value);
    }

    fn put(&mut self, field: &Field, value: String) {
        let name = own_name(field.name());
        match self.entries.iter_mut().find(|entry| entry.name == name) {
            Some(known) => known.value = value,
            None => self.entries.push(Entry { name, value }),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, &ports::fault::chain(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.to_string());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, value.to_string());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for these.
        if value.is_finite() {
            self.put(field, value.to_string())
        } else {
            self.text(field, &value.to_string())
        }
    }
}

/// `type` is a keyword, so a field of that name is written `r#type` in Rust. A field must
/// not stand in for a member that every line has.
fn own_name(name: &'static str) -> &'static str {
    match name.strip_prefix("r#").unwrap_or(name) {
        "ts" => "field_ts",
        "level" => "field_level",
        "msg" => "field_msg",
        "target" => "field_target",
        "pod_name" => "field_pod_name",
        name => name,
    }
}

pub(super) fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}

//! Why a message cannot be decoded.

use core::fmt;
use domain::id::InvalidId;

/// A message that no retry can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("undecodable: {reason}")]
pub struct Undecodable {
    /// Why.
    pub reason: Reason,
    /// The value of the metric label `type`: `expired`, `approved` or `failed` if at least the type
    /// could be read, else `unknown`. Never taken from the message.
    pub kind_label: &'static str,
}

/// Everything that can be wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The body is not JSON; the parser's message.
    NotJson(String),
    /// The body is longer than [`domain::limits::MESSAGE_BYTES_MAX`].
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The body nests deeper than any real event.
    TooDeep,
    /// The type is none of ours; its first bytes.
    UnknownType(String),
    /// A required field is missing, `null` or empty.
    MissingField(&'static str),
    /// An identifier breaks the rule for identifiers.
    InvalidId {
        /// The field.
        field: &'static str,
        /// The rule.
        why: InvalidId,
    },
    /// A field has the wrong type or a value out of range; the parser's message.
    BadField(String),
    /// A field is not a point in time.
    BadTime(&'static str),
}

impl Undecodable {
    pub(super) const fn new(reason: Reason, kind_label: &'static str) -> Self {
        Self { reason, kind_label }
    }
}

impl Reason {
    /// A fixed word for tables and attributes.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::TooLarge { .. } => "too_large",
            Self::TooDeep => "too_deep",
            Self::UnknownType(_) => "unknown_type",
            Self::MissingField(_) => "missing_field",
            Self::InvalidId { .. } => "invalid_id",
            Self::BadField(_) => "bad_field",
            Self::BadTime(_) => "bad_time",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(words) => write!(f, "not JSON: {words}"),
            Self::TooLarge { bytes } => {
                write!(f, "{bytes} bytes, at most {} are read", domain::limits::MESSAGE_BYTES_MAX)
            }
            Self::TooDeep => write!(f, "nested too deeply"),
            Self::UnknownType(name) => write!(f, "unknown type {name:?}"),
            Self::MissingField(field) => write!(f, "{field} is missing or empty"),
            Self::InvalidId { field, why } => write!(f, "{field} {why}"),
            Self::BadField(words) => write!(f, "{words}"),
            Self::BadTime(field) => write!(f, "{field} is not an RFC 3339 time after 1970"),
        }
    }
}

/// The first bytes of a text that may quote the message, so that reasons stay short enough for
/// message attributes.
pub(super) fn clipped(text: &str) -> String {
    const MAX: usize = 160;
    text[..text.floor_char_boundary(MAX)].to_owned()
}

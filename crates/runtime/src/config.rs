//! Settings from the environment, read once at the start.
//!
//! Each reader records a problem instead of failing and returns a value anyway, so that
//! [`Env::finish`] can report ALL problems at once, before a port is bound (trap T-O2). A
//! line names the variable, its value and a correct one; the value of a secret is never
//! printed. A variable that is set to nothing counts as not set, because compose files and
//! manifests write "not set" that way. Every read is remembered for `--help`:
//! [`Env::described`].

mod endpoint;
mod problem;
mod units;

pub use endpoint::Endpoint;
pub use problem::{ConfigProblems, Problem};
pub use units::parse_duration;

use core::fmt::{Debug, Display};
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// The environment of one process, and the problems found while reading it.
#[derive(Default)]
pub struct Env {
    values: BTreeMap<String, Value>,
    problems: Vec<Problem>,
    described: Vec<Described>,
}

enum Value {
    Text(String),
    NotUtf8,
}

/// One variable that the process reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its value when it is not set; `None` = it must be set, or the setting is off without
    /// it.
    pub default: Option<String>,
    /// Whether the process refuses to start without it.
    pub required: bool,
    /// What it sets, in a few words.
    pub doc: String,
}

impl Env {
    /// The environment of this process.
    #[allow(clippy::disallowed_methods, reason = "runtime alone reads the environment")]
    pub fn process() -> Self {
        let values = std::env::vars_os().filter_map(|(name, value)| {
            let value = value.into_string().map_or(Value::NotUtf8, Value::Text);
            Some((name.into_string().ok()?, value))
        });
        Self { values: values.collect(), ..Self::default() }
    }

    /// An environment of these variables only.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), Value::Text(value.into())));
        Self { values: values.collect(), ..Self::default() }
    }

    /// Sets a variable that is not set: for a program whose default differs from the
    /// service's.
    pub fn preset(&mut self, name: &str, value: &str) {
        self.values.entry(name.to_owned()).or_insert_with(|| Value::Text(value.to_owned()));
    }

    /// Overwrites a variable: for a source of settings that wins over the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), Value::Text(value.to_owned()));
    }

    /// The variable, or the default when it is not set or malformed. `doc` says in `--help`
    /// what it sets.
    pub fn or<T>(&mut self, name: &str, doc: &str, default: T) -> T
    where
        T: FromStr<Err: Display> + Debug,
    {
        self.describe(name, doc, Some(plain(&default)), false);
        self.parsed(name, parse_with_expectation::<T>).unwrap_or(default)
    }

    /// The variable, if it is set and well-formed.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str, doc: &str) -> Option<T> {
        self.describe(name, doc, None, false);
        self.parsed(name, parse_with_expectation::<T>)
    }

    /// The variable, which must be set. `what` completes the sentence "set it to …".
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &str, what: &str) -> Option<T> {
        self.describe(name, what, None, true);
        if self.text(name).is_none() && !self.has_problem(name) {
            self.problem(name, &format!("is not set; set it to {what}"));
        }
        self.parsed(name, parse_with_expectation::<T>)
    }

    /// A variable within bounds, or the default when it is not set.
    pub fn in_range<T>(&mut self, name: &str, doc: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr<Err: Display> + PartialOrd + Debug,
    {
        self.describe(name, doc, Some(plain(&default)), false);
        let within = |text: &str| {
            let value = parse_with_expectation::<T>(text)?;
            let (low, high) = (range.start(), range.end());
            let expected = || format!("a value from {} to {}", plain(low), plain(high));
            if range.contains(&value) { Ok(value) } else { Err(expected()) }
        };
        self.parsed(name, within).unwrap_or(default)
    }

    /// One of a closed set of words, or the default when it is not set; an unknown word is
    /// answered with the list.
    pub fn one_of<T: Clone>(&mut self, name: &str, doc: &str, choices: &[(&str, T)], default: &str) -> T {
        self.describe(name, doc, Some(default.to_owned()), false);
        let words = || choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let find = |text: &str| choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        let chosen = self.parsed(name, |text| {
            find(text).map(|(_, value)| value.clone()).ok_or_else(|| format!("one of {}", words()))
        });
        let fallback = || find(default).map(|(_, value)| value.clone());
        chosen.or_else(fallback).expect("the default is one of the choices")
    }

    /// A secret. Its value never shows in a problem or in a `Debug` print.
    pub fn secret(&mut self, name: &str, doc: &str) -> Option<SecretString> {
        self.describe(name, doc, None, false);
        self.text(name).map(SecretString::from)
    }

    /// A secret that must be set and have at least `bytes_min` bytes.
    pub fn secret_required(&mut self, name: &str, what: &str, bytes_min: usize) -> Option<SecretString> {
        self.describe(name, what, None, true);
        match self.text(name) {
            None if self.has_problem(name) => {}
            None => self.problem(name, &format!("is not set; set it to {what}")),
            Some(text) if text.len() < bytes_min => {
                self.problem(name, &format!("is too short; set it to {what}, at least {bytes_min} bytes"));
            }
            Some(text) => return Some(text.into()),
        }
        None
    }

    /// Secrets separated by commas, so that a new one can stand in front of the current one; each
    /// needs `bytes_min` bytes. Empty if the variable is not set, and after a problem.
    pub fn secrets(&mut self, name: &str, doc: &str, bytes_min: usize) -> Vec<SecretString> {
        self.describe(name, doc, None, false);
        let whole = self.text(name);
        whole.and_then(|whole| self.split_secrets(name, &whole, bytes_min)).unwrap_or_default()
    }

    /// [`Env::secrets`] of a variable that must be set.
    pub fn secrets_required(
        &mut self,
        name: &str,
        what: &str,
        bytes_min: usize,
    ) -> Option<Vec<SecretString>> {
        let whole = self.secret_required(name, what, bytes_min)?;
        self.split_secrets(name, whole.expose_secret(), bytes_min)
    }

    fn split_secrets(&mut self, name: &str, whole: &str, bytes_min: usize) -> Option<Vec<SecretString>> {
        let secrets: Vec<_> = whole.split(',').map(str::trim).collect();
        if secrets.iter().any(|secret| secret.len() < bytes_min) {
            let text = format!("has a secret that is too short; each needs at least {bytes_min} bytes");
            self.problem(name, &text);
            return None;
        }
        Some(secrets.into_iter().map(SecretString::from).collect())
    }

    /// A length of time such as `30s`, `500ms`, `2m` or `1h`, or the default when it is not
    /// set.
    pub fn duration_or(&mut self, name: &str, doc: &str, default: Duration) -> Duration {
        self.describe(name, doc, Some(plain(&default)), false);
        self.parsed(name, parse_duration).unwrap_or(default)
    }

    /// `true`, `1`, `yes`, `on` or their opposites, in any case, or the default when it is
    /// not set.
    pub fn flag(&mut self, name: &str, doc: &str, default: bool) -> bool {
        self.describe(name, doc, Some(default.to_string()), false);
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("true or false".to_owned()),
        };
        self.parsed(name, parse).unwrap_or(default)
    }

    /// Records a problem that only the reader's owner can see, such as two settings that
    /// exclude each other. The text follows the name: `must be shorter than
    /// SHUTDOWN_TIMEOUT`.
    pub fn problem(&mut self, name: &str, text: &str) {
        self.problems.push(Problem { name: name.to_owned(), text: text.to_owned() });
    }

    /// Every variable read so far, in the order of reading.
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every problem that was recorded. The program then exits with
    /// [`crate::Exit::Configuration`].
    pub fn finish(&mut self) -> Result<(), ConfigProblems> {
        match std::mem::take(&mut self.problems) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(ConfigProblems::new(problems)),
        }
    }

    fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.problem(name, &format!("is {}, which is not {expected}", problem::quoted(&text)));
                None
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
            Value::NotUtf8 => {
                if !self.has_problem(name) {
                    self.problem(name, "is not UTF-8 text");
                }
                None
            }
        }
    }

    fn has_problem(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.name == name)
    }

    fn describe(&mut self, name: &str, doc: &str, default: Option<String>, required: bool) {
        debug_assert!(!doc.is_empty(), "--help must say what {name} is");
        let entry = self.entry(name);
        doc.clone_into(&mut entry.doc);
        entry.default = default;
        entry.required |= required;
    }

    fn entry(&mut self, name: &str) -> &mut Described {
        let at = self.described.iter().position(|known| known.name == name).unwrap_or_else(|| {
            let (name, doc) = (name.to_owned(), String::new());
            self.described.push(Described { name, default: None, required: false, doc });
            self.described.len() - 1
        });
        &mut self.described[at]
    }
}

impl Debug for Env {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Env").field("names", &self.values.keys()).field("problems", &self.problems).finish()
    }
}

/// A default as a person would write it: the `Debug` text without the quotes of strings.
fn plain(value: &impl Debug) -> String {
    format!("{value:?}").trim_matches('"').to_owned()
}

fn parse_with_expectation<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse::<T>().map_err(|error| problem::expected::<T>().unwrap_or_else(|| format!("usable: {error}")))
}

#[cfg(test)]
mod tests;

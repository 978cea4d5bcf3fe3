//! Problems of the settings, reported so that a person can fix them without reading code.

use core::fmt;

/// One thing that is wrong with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub name: String,
    /// What is wrong and what would be right; follows the name.
    pub text: String,
}

/// Everything that is wrong, in the order in which it was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems {
    problems: Vec<Problem>,
}

impl ConfigProblems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.text)
    }
}

impl fmt::Display for ConfigProblems {
    /// One problem a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// A value in quotes, on one line and cut to a length that a terminal shows.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let cut: String = text.chars().take(CHARS_MAX).collect();
    let rest = if text.chars().nth(CHARS_MAX).is_some() { "…" } else { "" };
    format!("{cut:?}{rest}")
}

/// What a value of this type looks like, for the types whose own parse error says too
/// little ("invalid digit found").
pub(super) fn expected<T>() -> Option<String> {
    let name = core::any::type_name::<T>();
    let whole = |low: i128, high: u128| Some(format!("a whole number from {low} to {high}"));
    match name {
        "u8" => whole(0, u8::MAX.into()),
        "u16" => whole(0, u16::MAX.into()),
        "u32" => whole(0, u32::MAX.into()),
        "u64" | "usize" => whole(0, u64::MAX.into()),
        "i32" => whole(i32::MIN.into(), i32::MAX as u128),
        "i64" | "isize" => whole(i64::MIN.into(), i64::MAX as u128),
        "f32" | "f64" => Some("a number".to_owned()),
        "bool" => Some("true or false".to_owned()),
        _ if name.contains("NonZero") => Some("a whole number of at least 1".to_owned()),
        _ if name.ends_with("::SocketAddr") => Some("an address such as 127.0.0.1:8040".to_owned()),
        _ if name.ends_with("::Uri") => Some("a URL such as http://reservation-api:8010".to_owned()),
        _ => None,
    }
}

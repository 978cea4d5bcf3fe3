//! Commands that are printed before they run.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// Nothing is wrong in what could be looked at; the words say what could not.
    PassedBut(&'static str),
    Failed,
}

impl Outcome {
    pub(crate) fn is_passed(self) -> bool {
        self != Self::Failed
    }
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

/// A cargo command in the workspace's folder.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    // The cargo that runs this program, so that the toolchain is the same.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(args).current_dir(root);
    command
}

/// Prints the command on stderr, runs it, and says whether it succeeded.
pub(crate) fn shown(command: &mut Command) -> Result<bool> {
    let line = line(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    Ok(status.success())
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), quoted(&value?.to_string_lossy())))
    });
    let program = Path::new(command.get_program()).file_name().unwrap_or_else(|| command.get_program());
    let args = command.get_args().map(|arg| quoted(&arg.to_string_lossy()));
    let words: Vec<_> = set.chain([program.to_string_lossy().into_owned()]).chain(args).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) { format!("'{word}'") } else { word.to_owned() }
}

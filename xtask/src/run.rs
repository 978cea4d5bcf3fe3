//! Commands that are printed before they run.

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines of a failed command that are printed again at the end.
const EXCERPT_LINES_MAX: usize = 150;

/// The output of failed commands, since [`remember`] was called.
static FAILED: OnceLock<Mutex<Vec<String>>> = OnceLock::new();

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// The check passed; the text says which part could not be checked.
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

/// From now on, this program copies the output of commands, and [`failed`] returns that of failed
/// ones.
pub(crate) fn remember() {
    FAILED.get_or_init(Mutex::default);
}

/// Each command that failed since [`remember`]: its line, and the part of its output that says why.
pub(crate) fn failed() -> Vec<String> {
    let all = FAILED.get().map(|all| all.lock().unwrap_or_else(PoisonError::into_inner).clone());
    all.unwrap_or_default()
}

/// Prints the command on stderr and runs it; returns whether it succeeded.
pub(crate) fn shown(command: &mut Command) -> Result<bool> {
    shown_as(&line(command), command)
}

/// The same, with another line in place of the command's own, for example to hide secrets.
pub(crate) fn shown_as(line: &str, command: &mut Command) -> Result<bool> {
    eprintln!("$ {line}");
    let context = || format!("cannot start `{line}`");
    let Some(all) = FAILED.get() else {
        return Ok(command.status().with_context(context)?.success());
    };
    let (status, printed) = copied(command).with_context(context)?;
    if !status.success() {
        keep(all, line, &printed);
    }
    Ok(status.success())
}

/// Runs the command, then prints its line and its output, so that commands which run at the same
/// time do not mix theirs; returns whether it succeeded.
pub(crate) fn printed_at_end(command: &mut Command) -> Result<bool> {
    let line = line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
    let text = format!(
        "$ {line}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // One write: whole, whatever the other threads print.
    std::io::stdout().lock().write_all(text.as_bytes())?;
    if let Some(all) = FAILED.get().filter(|_| !output.status.success()) {
        keep(all, &line, &text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>());
    }
    Ok(output.status.success())
}

fn keep(all: &Mutex<Vec<String>>, line: &str, printed: &[String]) {
    let failure = format!("$ {line}\n{}", excerpt(printed).join("\n"));
    all.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
}

/// Runs the command; prints its output and returns it too.
fn copied(command: &mut Command) -> Result<(ExitStatus, Vec<String>)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (lines, received) = mpsc::channel();
    copy(child.stdout.take().context("stdout")?, std::io::stdout(), lines.clone());
    copy(child.stderr.take().context("stderr")?, std::io::stderr(), lines);
    let mut printed = Vec::new();
    loop {
        match received.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => printed.push(line),
            Err(RecvTimeoutError::Disconnected) => break,
            // A child process that it left running may keep its outputs open.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    Ok((child.wait()?, printed))
}

fn copy(from: impl Read + Send + 'static, mut to: impl Write + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            // Our own reader may have closed the pipe; the command still runs to its end.
            let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
            let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
        }
    });
}

/// The last lines; before them, what Rust's test harness printed about each failed test, which may
/// be far from the end.
fn excerpt(printed: &[String]) -> Vec<&str> {
    let (mut excerpt, mut inside) = (Vec::new(), false);
    for line in printed {
        inside |= line == "failures:";
        if inside {
            excerpt.push(line.as_str());
        }
        inside &= !line.starts_with("test result:");
    }
    excerpt.truncate(EXCERPT_LINES_MAX);
    let rest = EXCERPT_LINES_MAX - excerpt.len();
    excerpt.extend(printed[printed.len().saturating_sub(rest)..].iter().map(String::as_str));
    excerpt
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_excerpt_has_every_failed_test_and_the_end() {
        let mut printed = lines("test a ... FAILED\nfailures:\n---- a ----\nno!\ntest result: FAILED\n");
        printed.extend((0..1_000).map(|n| format!("test {n} ... ok")));
        printed.extend(lines("failures:\n---- b ----\ntest result: FAILED\nerror: 2 targets failed"));
        let found = excerpt(&printed);
        assert_eq!(found[..4], ["failures:", "---- a ----", "no!", "test result: FAILED"]);
        assert_eq!(found[4..7], ["failures:", "---- b ----", "test result: FAILED"]);
        assert_eq!(found.len(), EXCERPT_LINES_MAX);
        assert_eq!(found.last(), Some(&"error: 2 targets failed"));
    }

    #[test]
    fn short_output_is_kept_whole() {
        assert_eq!(excerpt(&lines("one\ntwo")), ["one", "two"]);
        assert!(excerpt(&[]).is_empty());
    }

    #[test]
    fn both_outputs_and_the_status_are_kept() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; printf last; exit 3"]);
        let (status, mut printed) = copied(&mut command).expect("sh");
        printed.sort();
        assert_eq!(status.code(), Some(3));
        assert_eq!(printed, ["err", "last", "out"]);
    }
}

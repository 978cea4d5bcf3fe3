//! How a command ends: exit codes for scripts, and error messages for people.

use adapter_embedded::OpenError;
pub(crate) use runtime::Exit;
use std::process::ExitCode;

/// A command that failed: its message and its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// The requested thing does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    /// The command line, or a file that it names, is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The configuration is wrong.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self { exit: Exit::Configuration, message: message.into() }
    }

    /// A required service did not answer. `doing` completes "cannot …".
    pub(crate) fn service(doing: &str, error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, message: format!("cannot {doing}: {:#}", error.into()) }
    }

    /// The process ran and stopped by an error.
    pub(crate) fn stopped(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, message: format!("stopped running: {:#}", error.into()) }
    }

    /// A required service did not answer; the message names it.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, message: message.into() }
    }

    /// Prints the message and returns the exit code.
    #[allow(clippy::print_stderr, reason = "a command reports its failure on stderr")]
    pub(crate) fn report(&self) -> ExitCode {
        let program = std::env::current_exe().ok();
        let name = program.as_deref().and_then(std::path::Path::file_name).unwrap_or_default();
        eprintln!("{}: {}", name.display(), self.message);
        self.exit.into()
    }
}

/// A data folder that cannot be opened; the message says what to change.
impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::configuration(match &error {
            OpenError::InUse { .. } => format!("{error}; stop that process, or use another --data"),
            OpenError::NewerFormat { .. } | OpenError::Corrupt { .. } => {
                format!("{error}; nothing was changed")
            }
            _ => error.to_string(),
        })
    }
}

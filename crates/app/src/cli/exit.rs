//! How a command ends: exit codes for scripts, and error messages for people.

pub use runtime::Exit;
use std::process::ExitCode;

/// A command that failed: its message and its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// The requested thing does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    /// The command line, or a file that it names, is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The configuration is wrong.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { exit: Exit::Configuration, message: message.into() }
    }

    /// A required service did not answer. `doing` completes "cannot …".
    pub fn service(doing: &str, error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, message: format!("cannot {doing}: {:#}", error.into()) }
    }

    /// The process ran and stopped by an error.
    pub fn stopped(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, message: format!("stopped running: {:#}", error.into()) }
    }

    /// A required service did not answer; the message names it.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, message: message.into() }
    }

    /// Prints the message and returns the exit code.
    #[allow(clippy::print_stderr, reason = "a command reports its failure on stderr")]
    pub fn report(&self) -> ExitCode {
        let program = std::env::current_exe().ok();
        let name = program.as_deref().and_then(std::path::Path::file_name).unwrap_or_default();
        eprintln!("{}: {}", name.display(), self.message);
        self.exit.into()
    }
}

//! How a command ends: the exit codes that a script may rely on, and failures in words for a person.

pub use runtime::Exit;
use std::process::ExitCode;

/// A command that could not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// The thing asked about is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    /// The command line or a file that it names is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// The configuration is wrong.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { exit: Exit::Configuration, message: message.into() }
    }

    /// Something that is needed did not answer.
    pub fn service(doing: &str, error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, message: format!("cannot {doing}: {:#}", error.into()) }
    }

    /// Something that is needed did not answer; the words say what.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, message: message.into() }
    }

    /// Prints the failure for a person and gives its exit code.
    #[allow(clippy::print_stderr, reason = "the last words of a command")]
    pub fn report(&self) -> ExitCode {
        let program = std::env::current_exe().ok();
        let name = program.as_deref().and_then(std::path::Path::file_name).unwrap_or_default();
        eprintln!("{}: {}", name.display(), self.message);
        self.exit.into()
    }
}

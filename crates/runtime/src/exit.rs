//! How a program ends: the exit codes a script may rely on, the same in every binary.

use std::process::ExitCode;

/// The exit code of a program (docs/contracts.md#exit-codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, or drained after a signal.
    Done = 0,
    /// The thing asked about failed: an invariant, not found.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// A setting is malformed or missing; no port was bound.
    Configuration = 64,
    /// A needed service did not answer.
    Unavailable = 69,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl std::process::Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

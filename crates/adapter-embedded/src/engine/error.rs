//! Errors of the folder and its trees: why something could not be opened, for the operator, and
//! why the tree could not be read, for callers.

use ports::Fault;
use std::io;
use std::path::{Path, PathBuf};

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder open.
    #[error("the data folder {} is in use by another process", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A newer program wrote the folder.
    #[error(
        "the data folder {} has format {found}; this program reads formats up to {supported}: use the newer program",
        folder.display()
    )]
    NewerFormat {
        /// The folder.
        folder: PathBuf,
        /// The folder's format.
        found: u32,
        /// The newest format that this program reads.
        supported: u32,
    },
    /// The folder cannot be read or written.
    #[error("cannot {doing} in the data folder {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// The operation that failed.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The folder's content is unreadable. Nothing in it was changed.
    #[error("the data folder {} is damaged: {why}", folder.display())]
    Corrupt {
        /// The folder.
        folder: PathBuf,
        /// The problem.
        why: String,
    },
    /// A store or queue was opened with options that do not fit the existing one.
    #[error("cannot open {name:?}: {why}")]
    Mismatch {
        /// The store or queue.
        name: String,
        /// The difference.
        why: String,
    },
    /// The engine has stopped after a write error.
    #[error("the data engine has stopped: {why}")]
    Stopped {
        /// The write error.
        why: String,
    },
}

impl OpenError {
    pub(crate) fn io(folder: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Io { folder: folder.to_path_buf(), doing, source }
    }

    pub(crate) fn corrupt(folder: &Path, why: impl Into<String>) -> Self {
        Self::Corrupt { folder: folder.to_path_buf(), why: why.into() }
    }

    /// Classifies an error of the tree library while opening.
    pub(crate) fn tree(folder: &Path, doing: &'static str, error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => {
                Self::io(folder, doing, source)
            }
            fjall::Error::Locked => Self::InUse { folder: folder.to_path_buf() },
            other => Self::corrupt(folder, format!("cannot {doing}: {other:?}")),
        }
    }
}

/// A failure to read from the tree, as callers see it.
pub(crate) fn read_fault(doing: &str, error: &fjall::Error) -> Fault {
    Fault::transient(format!("cannot {doing}: {}", describe(error)))
}

/// An error of the tree library as a text.
pub(crate) fn describe(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => io.to_string(),
        fjall::Error::Poisoned => {
            "background work on the data files failed, most likely a full disk".to_owned()
        }
        other => format!("{other:?}"),
    }
}

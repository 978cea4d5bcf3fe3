//! The data folder: which process may open it, and whether this program understands its content.
//!
//! The process that has the folder open locks `tacos.lock`; the lock ends with the process, however
//! it ends. `tacos.format` contains the format of the folder and whether it was ever completely
//! created: a process killed while it creates the trees leaves `creating`, and the next one starts
//! over; a folder that says `ready` is never cleared. `stores/` and `queues/` belong to the tree
//! library.

use super::OpenError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

const LOCK_FILE: &str = "tacos.lock";
const FORMAT_FILE: &str = "tacos.format";
const MAGIC: &str = "traffic-tacos-data";

/// A part of the folder with its own tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Stores,
    Queues,
}

impl Part {
    const ALL: [Self; 2] = [Self::Stores, Self::Queues];

    /// Its subfolder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stores => "stores",
            Self::Queues => "queues",
        }
    }
}

/// Holds the folder's lock until it is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
}

impl Drop for FolderLock {
    /// Closing the file is not enough: a child that this process starts meanwhile has it open too,
    /// until the child executes its own program.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "data folder stays locked until this process ends");
        }
    }
}

/// The content of the format file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No format file.
    New,
    /// Creation began and did not end: nothing in the folder was ever acknowledged.
    Creating,
    /// In use since it was created.
    Ready,
}

/// A locked folder whose format is understood.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    pub(crate) lock: FolderLock,
}

impl Folder {
    /// Creates the folder if it is missing, locks it, checks its format, and clears what an
    /// interrupted creation left.
    pub(crate) fn prepare(root: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(root).map_err(|e| OpenError::io(root, "create the folder", e))?;
        let lock = lock(root)?;
        let folder = Self { root: root.to_path_buf(), lock };
        let state = folder.state()?;
        for part in Part::ALL {
            let (path, name) = (folder.part(part), part.name());
            match state {
                State::Ready if !path.is_dir() => {
                    return Err(OpenError::corrupt(root, format!("the subfolder {name} is missing")));
                }
                State::New if path.exists() => {
                    return Err(OpenError::corrupt(root, format!("{FORMAT_FILE} is missing beside {name}")));
                }
                State::Creating => match fs::remove_dir_all(path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => {
                        return Err(OpenError::io(root, "clear an interrupted creation", e));
                    }
                    _ => {}
                },
                State::Ready | State::New => {}
            }
        }
        if state == State::New {
            folder.write_state("creating")?;
        }
        Ok(folder)
    }

    /// The path of a part.
    pub(crate) fn part(&self, part: Part) -> PathBuf {
        self.root.join(part.name())
    }

    /// Records that the folder is complete: from now on it is never cleared.
    pub(crate) fn mark_ready(&self) -> Result<(), OpenError> {
        if self.state()? == State::Ready { Ok(()) } else { self.write_state("ready") }
    }

    fn state(&self) -> Result<State, OpenError> {
        let text = match fs::read_to_string(self.root.join(FORMAT_FILE)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(State::New),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(OpenError::corrupt(&self.root, format!("{FORMAT_FILE} is not text")));
            }
            Err(e) => return Err(OpenError::io(&self.root, "read the format file", e)),
        };
        let mut words = text.split_whitespace();
        let unreadable =
            || OpenError::corrupt(&self.root, format!("{FORMAT_FILE} says {:?}", text.trim_end()));
        if words.next() != Some(MAGIC) {
            return Err(unreadable());
        }
        let found: u32 = words.next().and_then(|n| n.parse().ok()).ok_or_else(unreadable)?;
        if found > FORMAT {
            return Err(OpenError::NewerFormat { folder: self.root.clone(), found, supported: FORMAT });
        }
        match words.next() {
            Some("creating") if found == FORMAT => Ok(State::Creating),
            Some("ready") if found == FORMAT => Ok(State::Ready),
            _ => Err(unreadable()),
        }
    }

    /// Replaces the format file in one step, so that it is never half written.
    fn write_state(&self, state: &str) -> Result<(), OpenError> {
        let write = || -> io::Result<()> {
            let next = self.root.join("tacos.format.next");
            let mut file = File::create(&next)?;
            writeln!(file, "{MAGIC} {FORMAT} {state}")?;
            file.sync_all()?;
            fs::rename(&next, self.root.join(FORMAT_FILE))?;
            File::open(&self.root)?.sync_all()
        };
        write().map_err(|e| OpenError::io(&self.root, "write the format file", e))
    }
}

fn lock(root: &Path) -> Result<FolderLock, OpenError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(root.join(LOCK_FILE))
        .map_err(|e| OpenError::io(root, "open the lock file", e))?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: root.to_path_buf() }),
        Err(TryLockError::Error(e)) => Err(OpenError::io(root, "lock the folder", e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As between `fork` and `exec` of a child of this process.
    #[test]
    fn a_folder_is_free_although_a_child_has_its_lock_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let inherited = held.file.try_clone().unwrap();
        assert!(matches!(lock(folder.path()), Err(OpenError::InUse { .. })));
        drop(held);
        drop(lock(folder.path()).unwrap());
        drop(inherited);
    }
}

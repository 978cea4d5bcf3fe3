//! The engines of one workspace: up, down, status, and a lease for a test run.
//!
//! One folder has everything: `cache` (programs), `run` (data, removed with its engine), a log for
//! each engine, [`State`] in `engines.json`. Two locks keep runs apart. `lock` is held while
//! engines are started or ended. Test runs share `users` while they run; the last of them ends the
//! engines that were started for tests alone.

use crate::ask::answers;
use crate::fetch::fetch;
use crate::kind::Kind;
use crate::launch::Launch;
use crate::process::{self, Process};
use crate::state::{Entry, State};
use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A folder of engines.
#[derive(Debug, Clone)]
pub struct ServerPool {
    folder: PathBuf,
}

/// Why the engines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They stay until `down`.
    Kept,
    /// A test run. An engine that somebody else keeps stays kept.
    Tests,
}

/// The status of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The name of its kind.
    pub name: &'static str,
    /// Whether all its processes run and answer.
    pub up: bool,
    /// Whether it was started and not taken down.
    pub wanted: bool,
    /// Its addresses, current or last.
    pub addresses: Vec<String>,
    /// Its processes, current or last.
    pub pids: Vec<u32>,
}

/// The engines, for as long as tests run.
#[derive(Debug)]
pub struct Lease {
    pool: ServerPool,
    users: File,
}

type Progress<'a> = &'a (dyn Fn(&str) + Sync);

impl ServerPool {
    /// In this folder, which is created when something is started.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// `target/engines` of the workspace.
    #[must_use]
    pub fn of_workspace() -> Self {
        let root = |inside: &Path| {
            let mut above = inside.ancestors();
            above.find(|folder| folder.join("crates/engines/Cargo.toml").is_file()).map(Path::to_owned)
        };
        // The variable that cargo sets at run time comes first: the compiled path may be another
        // clone's where both share a target folder.
        let run = std::env::var_os("CARGO_MANIFEST_DIR").and_then(|package| root(Path::new(&package)));
        let built = || root(Path::new(env!("CARGO_MANIFEST_DIR")));
        Self::new(run.or_else(built).unwrap_or_default().join("target/engines"))
    }

    /// The file of addresses and processes.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("engines.json")
    }

    /// Starts those that do not answer already, in parallel, and waits until all do; forgets others
    /// that have died. `progress` is called with each slow step.
    ///
    /// # Errors
    /// One cannot be fetched or started; then all that this call has started are ended.
    pub fn up(&self, wanted: &[Kind], purpose: Purpose, progress: Progress) -> Result<State> {
        ensure!(Path::new("/proc/self/stat").exists(), "engines need Linux: there is no /proc");
        let _alone = self.alone(progress)?;
        let mut state = State::load(&self.file())?;
        let mut missing = Vec::new();
        for kind in Kind::ALL {
            let is_wanted = wanted.contains(&kind);
            match state.engines.get_mut(&kind) {
                Some(entry) if is_wanted && is_up(kind, entry) => entry.kept |= purpose == Purpose::Kept,
                // Without recorded processes somebody else runs it.
                Some(entry) if !is_wanted && entry.processes.iter().all(Process::is_running) => {}
                _ if is_wanted => {
                    self.end(&mut state, kind)?;
                    missing.push(kind);
                }
                // Killed, or from before a reboot: its addresses must not be reported.
                _ => self.end(&mut state, kind)?,
            }
        }
        state.save(&self.file())?;
        self.start(state, &missing, purpose, progress)
    }

    /// Ends them and removes their data; returns the kinds that existed.
    ///
    /// # Errors
    /// A process that does not end.
    pub fn down(&self, wanted: &[Kind]) -> Result<Vec<Kind>> {
        if !self.file().exists() {
            return Ok(Vec::new());
        }
        let _alone = self.alone(&|_| ())?;
        self.end_all(|kind, _| wanted.contains(&kind))
    }

    /// Asks each of them whether it answers.
    ///
    /// # Errors
    /// The state file is malformed.
    pub fn status(&self, wanted: &[Kind]) -> Result<Vec<Status>> {
        let state = State::load(&self.file())?;
        let of = |kind: &Kind| {
            let entry = state.engines.get(kind);
            Status {
                name: kind.name(),
                up: entry.is_some_and(|entry| is_up(*kind, entry)),
                wanted: entry.is_some(),
                addresses: entry.map(|entry| entry.addresses.clone()).unwrap_or_default(),
                pids: entry.iter().flat_map(|entry| &entry.processes).map(|process| process.pid).collect(),
            }
        };
        Ok(wanted.iter().map(of).collect())
    }

    /// Engines for a test run, which must end the lease.
    ///
    /// # Errors
    /// As [`ServerPool::up`].
    pub fn lease(&self, wanted: &[Kind], progress: Progress) -> Result<Lease> {
        let users = self.open("users")?;
        // From here on no other run takes down the engines that this one finds.
        users.lock_shared().context("cannot lock the engines")?;
        self.up(wanted, Purpose::Tests, progress)?;
        Ok(Lease { pool: self.clone(), users })
    }

    fn start(&self, state: State, missing: &[Kind], purpose: Purpose, progress: Progress) -> Result<State> {
        let shared = Mutex::new(state);
        let one = |kind: Kind| {
            let record = |entry: &Entry| {
                let mut state = shared.lock();
                let kept = purpose == Purpose::Kept;
                state.engines.insert(kind, Entry { kept, ..entry.clone() });
                state.save(&self.file())
            };
            let fetched = fetch(kind, &self.folder.join("cache"), progress)?;
            progress(&format!("starting {} {}", kind.name(), fetched.version));
            let log = self.folder.join(format!("{}.log", kind.name()));
            std::fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
            Launch { kind, fetched: &fetched, data: self.data(kind), log }.run(&record)
        };
        let started: Vec<Result<Entry>> = std::thread::scope(|scope| {
            let threads: Vec<_> = missing.iter().map(|kind| scope.spawn(|| one(*kind))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect()
        });
        let mut state = shared.into_inner();
        let failed: Vec<_> = started.iter().filter_map(|started| started.as_ref().err()).collect();
        if failed.is_empty() {
            return Ok(state);
        }
        for kind in missing {
            self.end(&mut state, *kind)?;
        }
        state.save(&self.file())?;
        bail!("{}", failed.iter().map(|error| format!("{error:#}")).collect::<Vec<_>>().join("\n"))
    }

    /// The caller holds the lock.
    fn end_all(&self, which: impl Fn(Kind, &Entry) -> bool) -> Result<Vec<Kind>> {
        let mut state = State::load(&self.file())?;
        let chosen = state.engines.iter().filter(|(kind, entry)| which(**kind, entry));
        let kinds: Vec<_> = chosen.map(|(kind, _)| *kind).collect();
        for kind in &kinds {
            self.end(&mut state, *kind)?;
            state.save(&self.file())?;
        }
        Ok(kinds)
    }

    fn end(&self, state: &mut State, kind: Kind) -> Result<()> {
        if let Some(entry) = state.engines.get(&kind) {
            process::end(&entry.processes).with_context(|| format!("cannot end {}", kind.name()))?;
            state.engines.remove(&kind);
        }
        let data = self.data(kind);
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        Ok(())
    }

    fn data(&self, kind: Kind) -> PathBuf {
        self.folder.join("run").join(kind.name())
    }

    /// Held until it is dropped.
    fn alone(&self, progress: Progress) -> Result<File> {
        let lock = self.open("lock")?;
        if lock.try_lock().is_err() {
            progress("waiting: another run is starting or ending engines");
            lock.lock().context("cannot lock the engines")?;
        }
        Ok(lock)
    }

    fn open(&self, name: &str) -> Result<File> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        let path = self.folder.join(name);
        let file = File::options().create(true).append(true).open(&path);
        file.with_context(|| format!("cannot open {}", path.display()))
    }
}

impl Lease {
    /// Where the engines are.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.pool.file()
    }

    /// Ends the engines that were started for tests, unless other test runs are still running;
    /// returns their kinds.
    ///
    /// # Errors
    /// As [`ServerPool::down`].
    pub fn end(self) -> Result<Vec<Kind>> {
        let _alone = self.pool.alone(&|_| ())?;
        drop(self.users);
        let users = self.pool.open("users")?;
        if users.try_lock().is_err() {
            return Ok(Vec::new());
        }
        // A run that asks for a lease now waits for `users`, and then starts them anew.
        self.pool.end_all(|_, entry| !entry.kept)
    }
}

/// Engines that a user runs have no recorded process and are up if they answer.
fn is_up(kind: Kind, entry: &Entry) -> bool {
    let answering = || entry.ports().is_some_and(|ports| answers(kind, &ports).is_ok());
    entry.ready && entry.processes.iter().all(Process::is_running) && answering()
}

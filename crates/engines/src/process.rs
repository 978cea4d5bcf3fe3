//! Processes by their id, with proof that the id is still theirs.
//!
//! The system reuses the id of an ended process. So a process is recorded with the time of its
//! start and a word of its command line, and both are read again from `/proc` before a signal is
//! sent. A zombie has ended.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Each of them stops within one second; a virtual machine on a busy host gets more.
const POLITE: Duration = Duration::from_secs(15);
const FORCED: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// A process that we started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it was started, in clock ticks since the boot, as the 22nd field of `/proc/PID/stat`
    /// has it.
    pub started: u64,
    /// A word of its command line.
    pub program: String,
}

impl Process {
    /// Describes a running process.
    ///
    /// # Errors
    /// It has ended already.
    pub fn of(pid: u32, program: &str) -> Result<Self> {
        let (_, started) = stat(pid).with_context(|| format!("process {pid} has ended at once"))?;
        Ok(Self { pid, started, program: program.to_owned() })
    }

    /// Whether the id still belongs to this process, and it has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let alive = stat(self.pid)
            .is_some_and(|(state, started)| started == self.started && !matches!(state, 'Z' | 'X'));
        // For a moment during exec, after spawn has returned, a process has no command line.
        let line = std::fs::read(self.path("cmdline")).unwrap_or_default();
        alive && (line.is_empty() || String::from_utf8_lossy(&line).contains(&self.program))
    }

    /// Whether this process itself listens on a TCP port. A server whose port was taken by another
    /// may live on and report it only in its log.
    pub(crate) fn listens(&self, port: u16) -> bool {
        let Ok(files) = std::fs::read_dir(self.path("fd")) else { return false };
        let open: Vec<PathBuf> = files.flatten().flat_map(|file| std::fs::read_link(file.path())).collect();
        listeners(port).iter().any(|inode| open.contains(&PathBuf::from(format!("socket:[{inode}]"))))
    }

    fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

/// Whether any process listens on a TCP port.
pub(crate) fn is_listened_to(port: u16) -> bool {
    !listeners(port).is_empty()
}

/// Ends those that still run, and waits until they are gone.
///
/// # Errors
/// One of them cannot be ended.
pub(crate) fn end(processes: &[Process]) -> Result<()> {
    for (signal, patience) in [(Signal::TERM, POLITE), (Signal::KILL, FORCED)] {
        for process in processes.iter().filter(|process| process.is_running()) {
            send(process, signal)?;
        }
        let deadline = Instant::now() + patience;
        while processes.iter().any(Process::is_running) && Instant::now() < deadline {
            // Another run may have started them; then they are not our children, and their end must
            // be polled for.
            std::thread::sleep(POLL);
        }
    }
    match processes.iter().find(|process| process.is_running()) {
        Some(Process { pid, program, .. }) => bail!("process {pid} ({program}) does not end"),
        None => Ok(()),
    }
}

fn send(process: &Process, signal: Signal) -> Result<()> {
    let id = i32::try_from(process.pid).ok().and_then(Pid::from_raw).context("not the id of a process")?;
    match kill_process(id, signal) {
        Err(error) if error != rustix::io::Errno::SRCH => {
            Err(error).with_context(|| format!("cannot end process {} ({})", process.pid, process.program))
        }
        _ => Ok(()),
    }
}

/// The state and the start of a process. Its name is in parentheses before them and may contain
/// spaces.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// The sockets that listen on a port: the tenth column of rows whose second column ends in the port
/// and whose fourth is LISTEN.
fn listeners(port: u16) -> Vec<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let wanted = format!(":{port:04X}");
    let lines = tables.iter().flat_map(|table| table.lines());
    let rows = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && row[1].ends_with(&wanted) && row[3] == "0A")
        .map(|row| row[9].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_known_by_its_start_and_program() {
        let this = Process::of(std::process::id(), "engines").expect("this process runs");
        assert!(this.is_running());
        assert!(!Process { started: this.started + 1, ..this.clone() }.is_running(), "the id's next owner");
        assert!(!Process { program: "redis-server".into(), ..this }.is_running(), "another program");
    }

    #[test]
    fn a_process_is_ended_and_a_zombie_has_ended() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let process = Process::of(child.id(), "cat").expect("it waits for its input");
        end(std::slice::from_ref(&process)).expect("it ends");
        assert!(stat(process.pid).is_some(), "nobody has waited for it yet");
        assert!(!process.is_running());
        child.wait().expect("a zombie");
        end(&[process]).expect("it is gone");
    }

    #[test]
    fn nothing_is_sent_to_an_id_that_belongs_to_another() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let process = Process::of(child.id(), "cat").expect("it waits for its input");
        let other = Process { started: process.started + 1, ..process.clone() };
        end(&[other]).expect("the recorded one is gone");
        assert!(process.is_running(), "the owner of the id lives on");
        end(&[process]).expect("it ends");
        child.wait().expect("a zombie");
    }

    #[test]
    fn a_port_is_known_to_be_its_listeners() {
        let this = Process::of(std::process::id(), "engines").expect("this process runs");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("an address").port();
        assert!(this.listens(port));
        let init = Process { pid: 1, started: 0, program: String::new() };
        assert!(!init.listens(port), "not another's");
        drop(listener);
        assert!(!this.listens(port));
    }
}

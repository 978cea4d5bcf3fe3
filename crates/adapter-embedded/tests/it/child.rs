//! Programs that a test starts to kill or starve them: this test binary again, with a variable that
//! says what to run.

use core::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Names the data folder of a child; without it the child tests do nothing.
const FOLDER: &str = "TACOS_TEST_CHILD_FOLDER";

/// Starts the test `name` of this binary as a child on a folder. Its stdout is a pipe.
pub(crate) fn start(name: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments(name));
    spawn(command, folder)
}

/// As [`start`], with no file larger than `blocks` of 512 bytes and the signal for it ignored, as
/// on a full disk.
pub(crate) fn start_with_file_limit(name: &str, folder: &Path, blocks: u64) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap()).args(arguments(name));
    spawn(command, folder)
}

fn arguments(name: &str) -> [&str; 4] {
    [name, "--exact", "--nocapture", "--test-threads=1"]
}

fn spawn(mut command: Command, folder: &Path) -> Child {
    command
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// In a child: the folder to work on.
#[allow(clippy::disallowed_methods, reason = "this is how a test tells its child what to do")]
pub(crate) fn folder() -> Option<std::ffi::OsString> {
    std::env::var_os(FOLDER)
}

/// In a child: reports a line to the parent in one write, so that a line is written whole or not at
/// all.
pub(crate) fn report(line: impl Display) {
    let line = format!("@{line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// In the parent: the content of a child's line of stdout; other lines are the test harness's.
pub(crate) fn reported(line: &str) -> Option<&str> {
    // The harness may have begun the line with the name of the test.
    line.find('@').map(|start| &line[start + 1..])
}

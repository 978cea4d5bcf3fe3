//! The servers' programs, from the package registries that their tools use by default, into a
//! folder that is kept.
//!
//! Versions are pinned. A folder is complete when its last file, `complete`, was written; the rest
//! of a broken download is removed and fetched again. A missing tool is an error with the command
//! that installs it. Only Redis is installed here, where that is possible, because it comes from
//! the system's packages.

use crate::kind::Kind;
use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The cause of a failed download is in its last lines.
const LINES_SHOWN: usize = 12;

/// Two of them at once would write to the same local repository.
static MAVEN: Mutex<()> = Mutex::new(());

/// The programs of an engine.
pub(crate) struct Fetched {
    /// A folder of jars, or the program.
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

/// Fetches an engine's programs, if they are not there yet.
pub(crate) fn fetch(kind: Kind, cache: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<Fetched> {
    match kind {
        Kind::ElasticMq => jars(cache, ["org.elasticmq", "elasticmq-server_3", "1.7.1"], progress),
        // 3.3.1 does not start: it is published with incompatible jars of the SDK.
        Kind::DynamoDb => jars(cache, ["software.amazon.dynamodb", "DynamoDBLocal", "3.0.0"], progress),
        Kind::MiniStack => ministack(cache, progress),
        Kind::Redis | Kind::RedisCluster => redis(progress),
    }
}

fn jars(cache: &Path, artifact: [&str; 3], progress: &(dyn Fn(&str) + Sync)) -> Result<Fetched> {
    let [group, name, version] = artifact;
    let folder = cache.join(format!("{name}-{version}"));
    let path = folder.join("lib");
    once(&folder, || {
        let _alone = MAVEN.lock();
        progress(&format!("fetching {name} {version}"));
        let pom = folder.join("pom.xml");
        std::fs::write(&pom, project(artifact))?;
        let mut maven = Command::new("mvn");
        maven
            .args(["-q", "-B", "-f"])
            .arg(&pom)
            .args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        let mut output = std::ffi::OsString::from("-DoutputDirectory=");
        output.push(&path);
        output_of(maven.arg(output), "apt-get install -y --no-install-recommends maven").map(drop)
    })
    .with_context(|| format!("cannot fetch {group}:{name}:{version}"))?;
    Ok(Fetched { path, version: version.to_owned() })
}

/// A project with one dependency.
fn project([group, name, version]: [&str; 3]) -> String {
    format!(
        "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>engines</groupId>\n  \
         <artifactId>{name}-alone</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  \
         <dependencies>\n    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{name}</artifactId>\n      \
         <version>{version}</version>\n    </dependency>\n  </dependencies>\n</project>\n"
    )
}

fn ministack(cache: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<Fetched> {
    const PINNED: &str = include_str!("ministack.txt");
    let version = PINNED.lines().find_map(|line| line.strip_prefix("ministack==")).unwrap_or_default();
    let folder = cache.join(format!("ministack-{version}"));
    once(&folder, || {
        progress(&format!("fetching ministack {version}"));
        let venv = "apt-get install -y --no-install-recommends python3 python3-venv";
        output_of(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")), venv).with_context(
            || format!("python3 cannot make a virtual environment; install what it needs with: {venv}"),
        )?;
        let pinned = folder.join("requirements.txt");
        std::fs::write(&pinned, PINNED)?;
        let mut pip = Command::new(folder.join("venv/bin/python3"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"])
            .arg(&pinned);
        output_of(&mut pip, venv).map(drop)
    })
    .with_context(|| format!("cannot fetch ministack {version}"))?;
    Ok(Fetched { path: folder.join("venv/bin/python3"), version: version.to_owned() })
}

/// The system's Redis; any version from 6 on.
fn redis(progress: &(dyn Fn(&str) + Sync)) -> Result<Fetched> {
    const INSTALL: &str = "apt-get install -y --no-install-recommends redis-server";
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    if !is_there("redis-server") {
        if !rustix::process::geteuid().is_root() || !is_there("apt-get") {
            bail!("`redis-server` is not installed; install it with: {INSTALL}");
        }
        progress("installing redis-server");
        if output_of(&mut apt(INSTALL), INSTALL).is_err() {
            // The package lists are missing, or too old.
            output_of(&mut apt("apt-get update"), INSTALL)?;
            output_of(&mut apt(INSTALL), INSTALL)?;
        }
    }
    let shown = output_of(Command::new("redis-server").arg("--version"), INSTALL)?;
    let version = shown.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or_default();
    Ok(Fetched { path: PathBuf::from("redis-server"), version: version.to_owned() })
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    let ran =
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(ran, Err(error) if error.kind() == ErrorKind::NotFound)
}

fn apt(line: &str) -> Command {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Runs `body` in an empty folder, unless it has completed before.
fn once(folder: &Path, body: impl FnOnce() -> Result<()>) -> Result<()> {
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    body()?;
    std::fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))
}

/// The output of a command; an error has its last lines, or how to install the command.
fn output_of(command: &mut Command, install: &str) -> Result<String> {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("")).display().to_string();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("`{program}` is not installed; install it with: {install}");
        }
        Err(error) => return Err(error).with_context(|| format!("cannot start `{program}`")),
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let all = stdout + &String::from_utf8_lossy(&output.stderr);
        bail!("`{program}` failed:\n{}", end_of(&all));
    }
    Ok(stdout)
}

/// The last lines of a program's output.
pub(crate) fn end_of(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_missing_tool_has_the_command_that_installs_it() {
        let error =
            output_of(&mut Command::new("no-such-tool"), "apt-get install -y tool").expect_err("missing");
        let wanted = "`no-such-tool` is not installed; install it with: apt-get install -y tool";
        assert_eq!(format!("{error:#}"), wanted);
    }

    #[test]
    fn the_error_of_a_failed_tool_has_its_last_lines() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 1 100; echo no such version >&2; exit 3"]);
        let error = format!("{:#}", output_of(&mut command, "").expect_err("exit 3"));
        assert!(error.starts_with("`sh` failed:\n90\n"), "{error}");
        assert!(error.ends_with("\n100\nno such version"), "{error}");
    }

    #[test]
    fn a_broken_download_is_fetched_again_and_a_complete_one_is_not() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let folder = cache.path().join("server-1");
        let broken = once(&folder, || {
            std::fs::write(folder.join("half.jar"), "")?;
            bail!("the line is cut")
        });
        assert_eq!(broken.expect_err("cut").to_string(), "the line is cut");
        once(&folder, || {
            assert!(!folder.join("half.jar").exists(), "a folder starts empty");
            Ok(())
        })
        .expect("a second attempt");
        once(&folder, || panic!("fetched twice")).expect("it is there");
    }
}

//! `cargo xtask web`: tests the pages in a real browser, and the API with a fuzzer that reads its
//! description.
//!
//! It builds `tacos`, starts it on a new folder and free ports, and stops it. It installs what is
//! missing: the tests' packages from their registries, and Chromium, if this is Debian and the user
//! is root.

use crate::run::{cargo, shown, shown_as};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The people that the browser tests sign in as, at the same time.
const PEOPLE: [&str; 2] = ["kim", "lee"];
/// The hold of the platform: long enough to pay in time on a busy machine; one test waits for its
/// end.
const HOLD_SECONDS: u32 = 45;
/// Long timeouts: on a busy machine slow answers are no error. The tests of late answers delay them
/// themselves.
const PATIENCE: [(&str, &str); 6] = [
    ("WAITING_ROOM_TIMEOUT", "20s"),
    ("BACKEND_TIMEOUT", "20s"),
    ("INVENTORY_TIMEOUT", "15s"),
    ("PAYMENT_TIMEOUT", "15s"),
    ("ADMISSION_TIMEOUT", "15s"),
    ("INVENTORY_DEADLINE", "10s"),
];
/// Requests that the fuzzer generates for each operation.
const EXAMPLES: &str = "25";

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Save a screenshot of every page to this folder, and run no tests.
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
    /// Run only the browser tests.
    #[arg(long)]
    browser_only: bool,
    /// Run only the fuzzer.
    #[arg(long, conflicts_with = "browser_only")]
    fuzzer_only: bool,
    /// Use the `tacos` in `target/debug`, as an earlier step has built it.
    #[arg(long)]
    no_build: bool,
    /// Seed of the fuzzer, to repeat a run; default: a random one, which is printed.
    #[arg(long)]
    seed: Option<u32>,
}

impl Options {
    /// All tests, on the `tacos` that an earlier step has built.
    pub(crate) fn on_existing_build() -> Self {
        Self { no_build: true, ..Self::default() }
    }
}

/// Runs the tests; returns whether all passed.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let build = ["build", "--locked", "-p", "app", "--bin", "tacos"];
    ensure!(options.no_build || shown(&mut cargo(root, &build))?, "the build failed");
    let mut passed = true;
    if !options.fuzzer_only {
        let platform = Platform::start(root)?;
        let browsed = browse(root, &platform, options.screenshots.as_deref());
        passed &= platform.end()? & browsed?;
    }
    if !options.browser_only && options.screenshots.is_none() {
        let platform = Platform::start(root)?;
        let fuzzed = fuzz(root, &platform, options.seed);
        passed &= platform.end()? & fuzzed?;
    }
    Ok(passed)
}

fn browse(root: &Path, platform: &Platform, pictures: Option<&Path>) -> Result<bool> {
    let folder = root.join("web/tests");
    let chromium = chromium()?;
    let install = shown(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder));
    ensure!(install.context("the browser tests need Node.js and npm")?, "npm ci failed");
    let tokens = PEOPLE.map(|person| platform.token(person)).into_iter().collect::<Result<Vec<_>>>()?;
    let mut npx = Command::new("npx");
    npx.args(["playwright", "test"]).current_dir(&folder);
    npx.env("BASE_URL", platform.url("gateway_http"));
    npx.env("INVENTORY_URL", platform.url("inventory_http"));
    npx.env("HOLD_SECONDS", HOLD_SECONDS.to_string());
    npx.env("CHROMIUM", chromium);
    if let Some(pictures) = pictures {
        std::fs::create_dir_all(pictures)?;
        npx.args(["--config", "screenshots.config.js"]).env("SCREENSHOTS", pictures.canonicalize()?);
    }
    // Printed without the tokens.
    shown_as("npx playwright test", npx.env("ACCESS_TOKEN", tokens.join(",")))
}

/// The path of Chromium, which is installed if possible.
fn chromium() -> Result<PathBuf> {
    let found =
        || ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    let there = || {
        std::env::var_os("CHROMIUM").map(PathBuf::from).into_iter().chain(found()).find(|path| path.exists())
    };
    if let Some(path) = there() {
        return Ok(path);
    }
    // With fonts that have Korean letters, for the screenshots.
    let install = ["install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"];
    let installed = Path::new("/usr/bin/apt-get").exists()
        && shown(Command::new("apt-get").args(["update", "-qq"]))?
        && shown(Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"))?;
    match there() {
        Some(path) if installed => Ok(path),
        _ => bail!(
            "the browser tests need Chromium: apt-get {}, or set CHROMIUM to its path",
            install.join(" ")
        ),
    }
}

fn fuzz(root: &Path, platform: &Platform, seed: Option<u32>) -> Result<bool> {
    let folder = root.join("crates/gateway/tests/schemathesis");
    let venv = root.join("target/schemathesis");
    if !venv.join("bin/schemathesis").exists() {
        let made = shown(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let need = "the fuzzer needs python3 with venv: apt-get install -y --no-install-recommends python3 python3-venv";
        ensure!(made.context(need)?, need);
        let mut pip = Command::new(venv.join("bin/python3"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"]);
        ensure!(shown(pip.arg(folder.join("requirements.txt")))?, "pip failed");
    }
    // The show that the examples of the API's description name.
    let seats: Vec<_> = (1..=8).map(|n| format!("R-A-{n}")).collect();
    platform.seed(&json!({
        "event_id": "evt_2025_1001", "name": "The show of the examples",
        // The waiting room is not required, so that the fuzzer also reaches reservations.
        "waiting_room": {"rate_per_sec": 1000, "required": false},
        "sections": [{"id": "R", "price": 120_000, "seats": seats}, {"id": "floor", "price": 80_000, "capacity": 100_000}],
    }))?;
    let mut schemathesis = Command::new(venv.join("bin/schemathesis"));
    schemathesis.arg("--config-file").arg(folder.join("schemathesis.toml")).arg("run");
    schemathesis
        .arg(format!("{}/openapi.json", platform.url("gateway_http")))
        .args(["--max-examples", EXAMPLES]);
    if let Some(seed) = seed {
        schemathesis.args(["--seed", &seed.to_string()]);
    }
    // It writes files to its working folder, which must not be the source tree.
    schemathesis.current_dir(&venv).env("TACOS_TOKEN", platform.token("kim")?);
    shown_as(&format!("schemathesis run …/openapi.json --max-examples {EXAMPLES}"), &mut schemathesis)
}

/// `tacos up` on a temporary folder.
struct Platform {
    child: Child,
    tacos: PathBuf,
    data: PathBuf,
    addresses: Value,
}

impl Platform {
    fn start(root: &Path) -> Result<Self> {
        let tacos = root.join("target/debug/tacos");
        let data = root.join(format!("target/web-{}", std::process::id()));
        let mut child = Command::new(&tacos)
            .args(["up", "--free-ports", "--hold", &format!("{HOLD_SECONDS}s"), "--data"])
            .arg(&data)
            .envs(PATIENCE)
            // All requests come from a few people.
            .envs([("RATE_LIMIT_PERSON", "0"), ("LOG_LEVEL", "warn")])
            .stdout(Stdio::piped())
            .spawn()
            .context("start tacos")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its stdout")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("tacos ended before it was ready")?;
        Ok(Self { child, tacos, data, addresses: ready["addresses"].clone() })
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}", self.addresses[name].as_str().unwrap_or_default())
    }

    fn token(&self, person: &str) -> Result<String> {
        let output =
            Command::new(&self.tacos).args(["token", "--sub", person, "--data"]).arg(&self.data).output()?;
        ensure!(output.status.success(), "tacos token: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn seed(&self, show: &Value) -> Result<()> {
        let file = self.data.join("show.json");
        std::fs::File::create(&file)?.write_all(show.to_string().as_bytes())?;
        let address = self.addresses["inventory_http"].as_str().unwrap_or_default();
        let mut seed = Command::new(&self.tacos);
        ensure!(
            shown(seed.args(["seed", "--inventory", address, "--show"]).arg(&file))?,
            "cannot put the show on sale"
        );
        Ok(())
    }

    /// Sends SIGTERM; returns whether the platform drained.
    fn end(mut self) -> Result<bool> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill -TERM");
        let status = self.child.wait()?;
        if !status.success() {
            eprintln!("error: tacos ended with {status}");
        }
        std::fs::remove_dir_all(&self.data)?;
        Ok(status.success())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It has ended already, unless a step before failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Logs: one JSON object a line for machines, or one readable line for a person at a
//! terminal.
//!
//! The members are those of docs/contracts.md#logs: `ts` (RFC 3339, ms), `level`, `msg`,
//! then the event's own fields and those of the spans around it, flat, and `pod_name`.
//! Secrets do not get here: their type prints no value, and no code logs a request's body.
//!
//! The JSON formatter of tracing-subscriber cannot write them: its members are `timestamp`,
//! `level` in capitals and `fields`, with the fields of spans in objects of their own, and
//! it has no setting for names. Its non-blocking writer drops without a count in the log.
//!
//! Lines go through a bounded queue to one writing thread. A pipe that nobody reads must
//! not stop a sale, so when the queue is full a line is dropped and counted, and the count
//! is logged first when there is room again.

mod fields;
mod layer;
mod writer;

pub use writer::{Flush, LINES_QUEUED_MAX};

use crate::config::Env;
use std::io::{IsTerminal, Write};
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person: time of day, level, message, `name=value`.
    Human {
        /// Whether levels are coloured.
        colour: bool,
    },
}

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For services.
    Stdout,
    /// For programs whose stdout is their answer.
    Stderr,
}

/// How a process logs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The least important level that is logged.
    pub level: Level,
    /// What a line looks like.
    pub format: Format,
    /// Where lines go.
    pub output: Output,
    /// The member `pod_name`; left out if there is none.
    pub pod_name: Option<String>,
}

impl Options {
    /// JSON on stdout, as a service logs: `LOG_LEVEL`, and `POD_NAME` or `HOSTNAME`.
    pub fn from_env(env: &mut Env) -> Self {
        Self {
            level: level(env, "info"),
            format: Format::Json,
            output: Output::Stdout,
            pod_name: pod_name(env),
        }
    }

    /// On stderr, as a command logs: readable when stderr is a terminal, JSON in a pipe or a file.
    /// Colours follow `NO_COLOR` (<https://no-color.org>). `quietest` is the level without
    /// `LOG_LEVEL`: a command shows `warn`.
    pub fn command(env: &mut Env, quietest: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let colour =
            env.optional::<String>("NO_COLOR", "set to anything: no colours on a terminal").is_none();
        let format = if terminal { Format::Human { colour } } else { Format::Json };
        let pod_name = pod_name(env);
        Self { level: level(env, quietest), format, output: Output::Stderr, pod_name }
    }
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The process logs already.
    #[error("logging is set up already")]
    Twice,
    /// The writing thread did not start.
    #[error("the thread that writes the log did not start")]
    Thread(#[source] std::io::Error),
}

/// Sets up the process's logging, panics included. Queued lines are written when the
/// returned value is dropped, so keep it to the end of `main`.
///
/// # Errors
/// When it was set up before, or when the operating system gives no thread.
pub fn init(options: Options) -> Result<Flush, InitError> {
    let sink: Box<dyn Write + Send> = match options.output {
        Output::Stdout => Box::new(std::io::stdout()),
        Output::Stderr => Box::new(std::io::stderr()),
    };
    let (lines, flush) = writer::start(sink).map_err(InitError::Thread)?;
    let layer = layer::LineLayer::new(options.format, options.pod_name.as_deref(), lines);
    tracing_subscriber::registry()
        .with(filter(options.level))
        .with(layer)
        .try_init()
        .map_err(|_| InitError::Twice)?;
    tell_panics();
    Ok(flush)
}

/// Runs `body` with logging of these options into `sink`, for this thread only. For tests.
pub fn with_sink<T>(options: &Options, sink: impl Write + Send + 'static, body: impl FnOnce() -> T) -> T {
    let (lines, flush) = writer::start(Box::new(sink)).expect("a test can start a thread");
    let layer = layer::LineLayer::new(options.format, options.pod_name.as_deref(), lines);
    let subscriber = tracing_subscriber::registry().with(filter(options.level)).with(layer);
    let value = tracing::subscriber::with_default(subscriber, body);
    drop(flush);
    value
}

/// Our own code from `level` up. Libraries log their inner workings at debug and trace,
/// which would bury ours, so they are logged from info up, and those that are chatty at
/// info from warn up.
fn filter(level: Level) -> Targets {
    let quiet = LevelFilter::from_level(level.min(Level::INFO));
    let chatty = LevelFilter::from_level(level.min(Level::WARN));
    let libraries = ["h2", "hyper", "hyper_util", "tonic", "tower", "axum", "mio", "tokio_util"]
        .map(|name| (name, quiet));
    let engines = ["fjall", "lsm_tree"].map(|name| (name, chatty));
    Targets::new().with_default(level).with_targets(libraries).with_targets(engines)
}

fn level(env: &mut Env, default: &str) -> Level {
    let levels = [
        ("debug", Level::DEBUG),
        ("info", Level::INFO),
        ("warn", Level::WARN),
        ("error", Level::ERROR),
        ("trace", Level::TRACE),
    ];
    env.one_of(
        "LOG_LEVEL",
        "least important level that is logged: debug, info, warn, error",
        &levels,
        default,
    )
}

fn pod_name(env: &mut Env) -> Option<String> {
    env.optional("POD_NAME", "name of this instance in every log line; default: HOSTNAME")
        .or_else(|| env.optional("HOSTNAME", "name of the machine, used where POD_NAME is not set"))
}

/// A panic becomes a log line before the default hook, which would write several lines that
/// are not JSON.
fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("a payload that is not text");
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(panic = message, at, thread = thread.name(), "a panic");
    }));
}

#[cfg(test)]
mod tests;

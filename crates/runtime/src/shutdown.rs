//! From a signal to a drained process: the first SIGTERM or SIGINT cancels a token, a
//! second one ends the process.
//!
//! The order of the steps is in [`crate::serve()`] and in each service; here is only the
//! signal and the time limit.

use crate::Exit;
use core::time::Duration;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a whole shutdown may take unless `SHUTDOWN_TIMEOUT` says otherwise.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// A token that the first SIGTERM or SIGINT cancels. A second signal ends the process at
/// once with exit code 1 and a line on stderr: a person who presses Ctrl-C twice means it.
/// Everything durable is written to survive that.
///
/// # Errors
/// When the operating system does not let the process listen to its signals.
pub fn on_signals() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancelled = token.clone();
    #[allow(
        clippy::disallowed_methods,
        reason = "it outlives every service's tasks, so it belongs to none of them"
    )]
    tokio::spawn(async move {
        let first = next(&mut term, &mut int).await;
        tracing::info!(signal = first, "shutting down: no new work, what runs is finished");
        cancelled.cancel();
        let second = next(&mut term, &mut int).await;
        end_now(second);
    });
    Ok(token)
}

type Signal = tokio::signal::unix::Signal;

async fn next(term: &mut Signal, int: &mut Signal) -> &'static str {
    tokio::select! {
        biased;
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

#[allow(clippy::print_stderr, reason = "the log's writer may be what hangs")]
fn end_now(signal: &str) -> ! {
    eprintln!("{signal} again: ending at once; the queue will redeliver unsettled messages");
    std::process::exit(i32::from(Exit::Failed.code()));
}

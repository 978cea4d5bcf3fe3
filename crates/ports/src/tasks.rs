//! Every spawned task of an instance belongs to its [`Tasks`]: shutdown waits for them, and a simulated crash drops them
//! all at whatever await they stand.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one instance of one service. Cloning gives another handle to the same set.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    abort: CancellationToken,
    apart: Option<Handle>,
}

impl Tasks {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty set whose [`spawn_apart`](Self::spawn_apart) runs on that runtime.
    pub fn with_apart(runtime: Handle) -> Self {
        Self { apart: Some(runtime), ..Self::default() }
    }

    /// Starts a task. Its result is not kept: it reports what it must by itself.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let abort = self.abort.clone();
        #[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
        self.tracker.spawn(async move {
            let _ = abort.run_until_cancelled_owned(future).await;
        });
    }

    /// Starts a task that must not wait in line behind requests: a timer that is promised within milliseconds. It has
    /// threads of its own where the process gives it some, else it is a task as any other.
    pub fn spawn_apart(&self, future: impl Future<Output = ()> + Send + 'static) {
        let Some(runtime) = &self.apart else { return self.spawn(future) };
        let abort = self.abort.clone();
        #[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
        self.tracker.spawn_on(
            async move {
                let _ = abort.run_until_cancelled_owned(future).await;
            },
            runtime,
        );
    }

    /// How many tasks are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until every task has ended. Tasks may still be spawned by the tasks that run.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Drops every task at the await where it stands, as a crash would.
    pub fn abort_all(&self) {
        self.abort.cancel();
    }
}

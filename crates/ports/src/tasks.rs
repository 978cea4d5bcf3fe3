//! Every spawned task of an instance belongs to its [`Tasks`]: shutdown waits for them, and a
//! simulated crash drops them all at the await where they stand.

use core::fmt;
use core::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An executor other than tokio's, such as a simulator's own.
pub trait Spawn: Send + Sync + 'static {
    /// Takes a task over, and polls it until it is ready or drops it at an await. It must not poll
    /// the task in this call: the caller may hold a lock.
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>);
}

/// The tasks of one instance of one service. Cloning gives another handle to the same set.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    abort: CancellationToken,
    apart: Option<Handle>,
    spawner: Option<Arc<dyn Spawn>>,
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

    /// An empty set whose tasks all run on the spawner, including those of
    /// [`spawn_apart`](Self::spawn_apart). A task that the spawner drops has ended for this set.
    pub fn on(spawner: Arc<dyn Spawn>) -> Self {
        Self { spawner: Some(spawner), ..Self::default() }
    }

    /// Starts a task. Its result is dropped: the task itself reports what it must.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let task = self.until_aborted(future);
        match &self.spawner {
            Some(spawner) => spawner.spawn(Box::pin(self.tracker.track_future(task))),
            None => {
                #[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
                self.tracker.spawn(task);
            }
        }
    }

    /// Starts a task that must not wait behind requests: a timer that is promised within
    /// milliseconds. It runs on threads of its own if the process has some, else like any other
    /// task.
    pub fn spawn_apart(&self, future: impl Future<Output = ()> + Send + 'static) {
        let Some(runtime) = &self.apart else { return self.spawn(future) };
        #[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
        self.tracker.spawn_on(self.until_aborted(future), runtime);
    }

    /// How many tasks are running.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until every task has ended. Running tasks may still spawn others.
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Drops every task at the await where it stands, as a crash would. Each is dropped when its
    /// executor next polls it, so a spawner that needs them gone at once drops them itself.
    pub fn abort_all(&self) {
        self.abort.cancel();
    }

    fn until_aborted<F>(&self, future: F) -> impl Future<Output = ()> + Send + 'static + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let abort = self.abort.clone();
        // In a box of its own, because each layer around a future keeps it twice: as an argument
        // and as the awaited future.
        let future = Box::pin(future);
        async move {
            let _ = abort.run_until_cancelled_owned(future).await;
        }
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("tracker", &self.tracker)
            .field("abort", &self.abort)
            .field("apart", &self.apart)
            .field("on_spawner", &self.spawner.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::task::{Context, Poll, Waker};
    use std::sync::Mutex;

    type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Keeps spawned tasks, to be polled by hand.
    #[derive(Default)]
    struct Kept(Mutex<Vec<Task>>);

    impl Spawn for Kept {
        fn spawn(&self, future: Task) {
            self.0.lock().unwrap().push(future);
        }
    }

    impl Kept {
        fn turn(&self) {
            let mut cx = Context::from_waker(Waker::noop());
            self.0.lock().unwrap().retain_mut(|task| task.as_mut().poll(&mut cx) == Poll::Pending);
        }
    }

    /// There is no tokio runtime here, so spawning a task on one would panic.
    #[test]
    fn tasks_on_a_spawner_run_where_it_polls_them_and_count_until_they_end() {
        let kept = Arc::new(Kept::default());
        let tasks = Tasks::on(kept.clone());
        let go = CancellationToken::new();
        let (one, two) = (go.clone(), go.clone());
        tasks.spawn(async move { one.cancelled().await });
        tasks.spawn_apart(async move { two.cancelled().await });
        kept.turn();
        assert_eq!(tasks.running(), 2);
        go.cancel();
        kept.turn();
        assert_eq!(tasks.running(), 0);
    }

    #[test]
    fn tasks_on_a_spawner_end_when_they_are_aborted_and_when_it_drops_them() {
        let kept = Arc::new(Kept::default());
        let tasks = Tasks::on(kept.clone());
        tasks.spawn(core::future::pending());
        kept.turn();
        kept.0.lock().unwrap().clear();
        assert_eq!(tasks.running(), 0, "dropped by the spawner");
        tasks.spawn(core::future::pending());
        tasks.abort_all();
        kept.turn();
        assert_eq!(tasks.running(), 0, "aborted");
    }
}

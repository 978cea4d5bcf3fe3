//! Ends an operation at any one of its calls to the outside.
//!
//! Every call of the store, the stock and the till passes the same [`Fuse`]. It counts them, and a
//! test makes the n-th one fail, for every n until an operation succeeds: these are all crash
//! points.

use std::sync::Mutex;
use tokio::sync::watch;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The caller is dropped before the call is carried out.
    CrashBefore,
    /// The call is carried out, and the caller is dropped before it gets the answer.
    CrashAfter,
    /// No answer, and nothing was done.
    Fails,
    /// It was done, and there is no answer.
    AnswerLost,
}

impl Mishap {
    pub(crate) const ALL: [Self; 4] = [Self::CrashBefore, Self::CrashAfter, Self::Fails, Self::AnswerLost];
}

pub(crate) struct Fuse {
    armed: Mutex<Option<(u32, Mishap)>>,
    crashed: watch::Sender<bool>,
}

impl Default for Fuse {
    fn default() -> Self {
        Self { armed: Mutex::new(None), crashed: watch::Sender::new(false) }
    }
}

/// How an operation ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// It answered, with success or a refusal.
    Answered(T),
    /// It was dropped at the call.
    Crashed,
}

impl Fuse {
    /// The call after `skip` others has the mishap.
    pub(crate) fn arm(&self, skip: u32, mishap: Mishap) {
        *self.armed.lock().unwrap() = Some((skip, mishap));
        self.crashed.send_replace(false);
    }

    /// From now on every call succeeds. Returns whether the fuse was still waiting: the operation
    /// had fewer calls.
    pub(crate) fn disarm(&self) -> bool {
        self.armed.lock().unwrap().take().is_some()
    }

    /// Runs an operation until it answers or crashes.
    pub(crate) async fn run<T>(&self, operation: impl Future<Output = T>) -> Ended<T> {
        let mut crashed = self.crashed.subscribe();
        tokio::select! {
            biased;
            answer = operation => Ended::Answered(answer),
            _ = crashed.wait_for(|crashed| *crashed) => Ended::Crashed,
        }
    }

    /// Passes one call through.
    pub(crate) async fn pass<T>(&self, call: impl Future<Output = T>, silence: impl FnOnce() -> T) -> T {
        match self.next() {
            None => call.await,
            Some(Mishap::CrashBefore) => self.crash().await,
            Some(Mishap::CrashAfter) => {
                call.await;
                self.crash().await
            }
            Some(Mishap::Fails) => silence(),
            Some(Mishap::AnswerLost) => {
                call.await;
                silence()
            }
        }
    }

    fn next(&self) -> Option<Mishap> {
        let mut armed = self.armed.lock().unwrap();
        let (skip, mishap) = armed.take()?;
        if skip == 0 {
            return Some(mishap);
        }
        *armed = Some((skip - 1, mishap));
        None
    }

    async fn crash<T>(&self) -> T {
        self.crashed.send_replace(true);
        std::future::pending().await
    }
}

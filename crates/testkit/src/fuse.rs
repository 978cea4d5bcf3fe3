//! Ends an operation at any one of its calls to the outside.
//!
//! Every call of the ports that a test wraps passes the same [`Fuse`]. It counts them, so a test
//! can make the n-th call go wrong, for every n until the operation has no more calls. That tries
//! every crash point of the operation.

use parking_lot::Mutex;
use tokio::sync::watch;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The caller crashes before the call is carried out.
    CrashBefore,
    /// The call is carried out, and the caller crashes before it gets the answer.
    CrashAfter,
    /// The call is not carried out, and the caller gets no answer.
    Fails,
    /// The call is carried out, and the caller gets no answer.
    AnswerLost,
}

impl Mishap {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::CrashBefore, Self::CrashAfter, Self::Fails, Self::AnswerLost];
}

/// See the module.
#[derive(Debug)]
pub struct Fuse {
    armed: Mutex<Option<(u32, Mishap)>>,
    crashed: watch::Sender<bool>,
}

impl Default for Fuse {
    fn default() -> Self {
        Self { armed: Mutex::new(None), crashed: watch::Sender::new(false) }
    }
}

/// How an operation ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// It gave an answer, good or bad.
    Answered(T),
    /// It was dropped at the await where it crashed.
    Crashed,
}

impl Fuse {
    /// The call after `skip` others meets the mishap.
    pub fn arm(&self, skip: u32, mishap: Mishap) {
        *self.armed.lock() = Some((skip, mishap));
        self.crashed.send_replace(false);
    }

    /// From now on every call succeeds. Returns true if the fuse was still armed: the operation had
    /// fewer calls.
    pub fn disarm(&self) -> bool {
        self.armed.lock().take().is_some()
    }

    /// Runs an operation until it answers or crashes.
    pub async fn run<T>(&self, operation: impl Future<Output = T>) -> Ended<T> {
        let mut crashed = self.crashed.subscribe();
        tokio::select! {
            biased;
            answer = operation => Ended::Answered(answer),
            _ = crashed.wait_for(|crashed| *crashed) => Ended::Crashed,
        }
    }

    /// Passes one call through. `silence` is the answer of a call that nobody answered.
    pub async fn pass<T>(&self, call: impl Future<Output = T>, silence: impl FnOnce() -> T) -> T {
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
        let mut armed = self.armed.lock();
        let (skip, mishap) = armed.take()?;
        if skip == 0 {
            return Some(mishap);
        }
        *armed = Some((skip - 1, mishap));
        None
    }

    async fn crash<T>(&self) -> T {
        self.crashed.send_replace(true);
        core::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn each_mishap_ends_the_operation_at_its_call() {
        for (mishap, carried_out, ended) in [
            (Mishap::CrashBefore, 1, Ended::Crashed),
            (Mishap::CrashAfter, 2, Ended::Crashed),
            (Mishap::Fails, 1, Ended::Answered(Err("silence"))),
            (Mishap::AnswerLost, 2, Ended::Answered(Err("silence"))),
        ] {
            let (fuse, done) = (Fuse::default(), AtomicU32::new(0));
            fuse.arm(1, mishap);
            let call = || fuse.pass(async { Ok(done.fetch_add(1, Ordering::SeqCst)) }, || Err("silence"));
            let answer = fuse.run(async { call().await.and(call().await) }).await;
            assert_eq!((done.load(Ordering::SeqCst), answer), (carried_out, ended), "{mishap:?}");
            assert!(!fuse.disarm(), "the fuse has gone off");
        }
    }
}

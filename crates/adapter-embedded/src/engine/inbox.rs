//! The writer's inbox: the waiting requests in the order of their arrival.
//!
//! A push wakes the writer only when it sleeps, so under load a push is a lock and a move. Order
//! matters: a request that relies on another one (a name before the row that uses it, a repetition
//! before its answer) is pushed after it.

use super::request::Request;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;

#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    closed: bool,
    writer_sleeps: bool,
}

impl Inbox {
    /// Adds a request; returns it if the inbox is closed.
    pub(crate) fn push(&self, request: Request) -> Result<(), Request> {
        let mut state = self.locked();
        if state.closed {
            return Err(request);
        }
        state.requests.push_back(request);
        if state.writer_sleeps {
            state.writer_sleeps = false;
            drop(state);
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Moves up to `limit` requests into `batch`, waiting for the first. `false` when the inbox is
    /// closed and empty.
    pub(crate) fn take(&self, limit: usize, batch: &mut Vec<Request>) -> bool {
        let mut state = self.locked();
        while state.requests.is_empty() {
            if state.closed {
                return false;
            }
            state.writer_sleeps = true;
            self.wake.wait(&mut state);
        }
        let count = limit.min(state.requests.len());
        batch.extend(state.requests.drain(..count));
        true
    }

    /// Lets the writer finish the waiting requests and then end.
    pub(crate) fn close(&self) {
        self.locked().closed = true;
        self.wake.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

//! Technical failures, classified in the adapter, where they occur.

use core::fmt;
use std::error::Error;

/// What a failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// No answer in time, or the system below is overloaded. It says nothing about the request, so
    /// a breaker counts it, and a retry does not count as an attempt while that breaker is open.
    /// The request may have been carried out.
    Unavailable,
    /// The peer was not reached: nothing listens there, the connection broke, or something answered
    /// that is not the peer, such as a proxy. A breaker counts it, a retry never counts as an
    /// attempt, and nothing is decided by it (rules R8). The request may have been carried out.
    NotReached,
    /// The peer is older than this call and has done nothing. No breaker counts it.
    Unsupported,
    /// An answer that may be different the next time.
    Transient,
    /// Another writer changed the rows first: load and decide again.
    Conflict,
    /// The same request will always fail.
    Permanent,
}

/// A failure: its class, a message for the operator, and its source.
#[derive(Debug)]
pub struct Fault {
    /// What it means for the caller.
    pub class: FaultClass,
    /// What was being done and what failed, in one line, for the log.
    pub message: String,
    /// The error below, if there is one.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A failure of the given class.
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), source: None }
    }

    /// No answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(FaultClass::Unavailable, message)
    }

    /// The peer was not reached.
    pub fn not_reached(message: impl Into<String>) -> Self {
        Self::new(FaultClass::NotReached, message)
    }

    /// The same request may work later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FaultClass::Transient, message)
    }

    /// The same request will never work.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FaultClass::Permanent, message)
    }

    /// The same failure, with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The message and every error below it, joined by `: `. For logs and dead letters, never for
    /// callers.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

/// A call ends in an answer, in a typed rejection by the peer, or in a failure.
#[derive(Debug)]
pub enum PortError<R> {
    /// The peer understood the request and rejects it.
    Rejected(R),
    /// There was no usable answer.
    Failed(Fault),
}

impl<R> From<Fault> for PortError<R> {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// An error and every error below it, joined by `: `.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(": ");
        text.push_str(&error.to_string());
        below = error.source();
    }
    text
}

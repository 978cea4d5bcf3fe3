//! A decoded message: an event with its trace, or the reason why it is none.

use contracts::envelope::{self, Undecodable};
use domain::event::{Event, Kind};
use domain::id::ReservationId;
use ports::Trace;
use ports::queue::Message;
use std::sync::Arc;

/// An event and its trace; shared by the handler, the log and the dead letter.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) event: Event,
    pub(crate) trace: Trace,
}

/// The content of a message.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Event(Arc<Work>),
    /// No retry can help (trap T-T12). Its kind, if at least that could be read, and what is wrong.
    Undecodable(Option<Kind>, Arc<str>),
}

impl Content {
    pub(crate) fn decode(message: &Message) -> Self {
        let decoded: Result<(Event, Trace), Undecodable> =
            envelope::decode(&message.body, &message.id, &message.attributes);
        match decoded {
            Ok((event, trace)) => Self::Event(Arc::new(Work { event, trace })),
            Err(why) => {
                let kind = Kind::ALL.into_iter().find(|kind| kind.label() == why.kind_label);
                Self::Undecodable(kind, why.to_string().into())
            }
        }
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Event(work) => Some(work.event.fact.kind()),
            Self::Undecodable(kind, _) => *kind,
        }
    }

    /// The lane: the event's reservation. An undecodable message keeps its place in its message
    /// group, so that its followers do not run before it is buried (trap T-T4); without a group it
    /// has a lane of its own.
    pub(crate) fn lane(&self, message: &Message) -> ReservationId {
        match self {
            Self::Event(work) => work.event.reservation.clone(),
            Self::Undecodable(..) => {
                let group = message.group.as_deref().and_then(|group| ReservationId::parse(group).ok());
                group.or_else(|| ReservationId::parse(&message.id).ok()).unwrap_or_else(|| {
                    ReservationId::parse("undecodable").expect("a literal of printable letters")
                })
            }
        }
    }
}

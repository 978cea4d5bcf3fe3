//! Where a producer sends its events: to an SQS queue, or to an EventBridge bus whose rules send to
//! one.

use super::{AwsSettings, QueueSetting, reach};
use crate::exit::Failure;
use adapter_aws::{Aws, EventBus, QueueUrl, SqsQueue};
use core::fmt;
use core::time::Duration;
use outbox::RelayOptions;
use ports::queue::QueueKind;
use ports::{Clock, Publisher};
use runtime::config::Env;
use std::sync::Arc;

mod backstop;

pub(crate) use backstop::BackstopSetting;

const BUS: &str = "EVENT_BUS_NAME";
const TIMER: &str = "EXPIRY_TIMER";

/// The queue or the bus that receives the events.
pub(crate) struct EventsSetting {
    target: Target,
}

enum Target {
    Queue(QueueUrl),
    Bus(String),
}

impl EventsSetting {
    /// Reads both variables, of which exactly one must be set.
    pub(crate) fn read(aws: &AwsSettings, env: &mut Env) -> Option<Self> {
        let (queue, bus) = (env.optional::<String>(QueueSetting::EVENTS, "URL of the event queue, standard or .fifo; set this or EVENT_BUS_NAME"), env.optional::<String>(BUS, "name or ARN of the EventBridge bus for events, whose rule sends to a standard queue; set this or SQS_QUEUE_URL"));
        let target = match (queue, bus) {
            (Some(url), None) => Target::Queue(aws.queue_url(env, QueueSetting::EVENTS, &url)?),
            (None, Some(bus)) => Target::Bus(bus),
            (None, None) => {
                let text = "is not set, and neither is EVENT_BUS_NAME; set one of them, to the queue or the bus for \
                            events";
                env.problem(QueueSetting::EVENTS, text);
                return None;
            }
            (Some(_), Some(_)) => {
                let text = "is set, and so is SQS_QUEUE_URL; set only one of them";
                env.problem(BUS, text);
                return None;
            }
        };
        Some(Self { target })
    }

    /// Reads `EXPIRY_TIMER`: how long before it is due an expiry is published. Zero with the
    /// relay's timer; the longest delay of a queue with the queue's. `events` is the result of
    /// [`Self::read`].
    pub(crate) fn lead(events: Option<&Self>, env: &mut Env) -> Duration {
        let lead = env.one_of(
            TIMER,
            "timer of the holds: relay (this process), or queue (the delay of a standard SQS queue)",
            &[("relay", Duration::ZERO), ("queue", RelayOptions::LEAD_MAX)],
            "relay",
        );
        let can_delay = match events.map(|events| &events.target) {
            // `read` has reported the problem already.
            None => true,
            Some(Target::Queue(url)) => url.kind() == QueueKind::Standard,
            Some(Target::Bus(_)) => false,
        };
        if !lead.is_zero() && !can_delay {
            let text = "is queue, which needs a standard queue in SQS_QUEUE_URL: FIFO queues and buses cannot delay single \
                        messages; set it to relay, or SQS_QUEUE_URL to a queue without .fifo";
            env.problem(TIMER, text);
        }
        lead
    }

    /// Checks that the target can be reached, and returns its publisher.
    pub(crate) async fn open(&self, aws: &Aws, clock: &dyn Clock) -> Result<Arc<dyn Publisher>, Failure> {
        match &self.target {
            Target::Queue(url) => {
                let queue = SqsQueue::new(aws, url);
                reach(clock, || queue.check(QueueSetting::EVENTS)).await?;
                Ok(Arc::new(Arc::new(queue)))
            }
            Target::Bus(name) => {
                let bus = EventBus::new(aws, name);
                reach(clock, || bus.check(BUS)).await?;
                Ok(Arc::new(bus))
            }
        }
    }
}

impl fmt::Display for EventsSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Queue(url) => f.write_str(url.as_str()),
            Target::Bus(name) => write!(f, "event bus {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: (&str, &str) = ("SQS_QUEUE_URL", "http://localhost:9324/000000000000/events");
    const FIFO: (&str, &str) = ("SQS_QUEUE_URL", "http://localhost:9324/000000000000/events.fifo");
    const BUS: (&str, &str) = ("EVENT_BUS_NAME", "sale");
    const QUEUE_TIMER: (&str, &str) = ("EXPIRY_TIMER", "queue");

    /// The problems and the lead of an environment.
    fn read(pairs: &[(&str, &str)]) -> (String, Duration) {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let aws = AwsSettings::read(&mut env);
        let events = EventsSetting::read(&aws, &mut env);
        let lead = EventsSetting::lead(events.as_ref(), &mut env);
        (env.finish().err().map(|problems| problems.to_string()).unwrap_or_default(), lead)
    }

    #[test]
    fn events_have_exactly_one_target() {
        for good in [STANDARD, FIFO, BUS] {
            assert_eq!(read(&[good]), (String::new(), Duration::ZERO), "{good:?}");
        }
        for bad in [&[][..], &[STANDARD, BUS]] {
            let problems = read(bad).0;
            assert!(problems.contains("SQS_QUEUE_URL") && problems.contains("EVENT_BUS_NAME"), "{problems}");
        }
    }

    #[test]
    fn only_a_standard_queue_can_be_the_timer() {
        assert_eq!(read(&[STANDARD, QUEUE_TIMER]), (String::new(), Duration::from_secs(900)));
        for target in [FIFO, BUS] {
            let problems = read(&[target, QUEUE_TIMER]).0;
            assert!(problems.contains("EXPIRY_TIMER") && problems.contains("SQS_QUEUE_URL"), "{problems}");
        }
        assert!(read(&[STANDARD, ("EXPIRY_TIMER", "sundial")]).0.contains("relay, queue"));
    }
}

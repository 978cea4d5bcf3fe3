//! Where a producer's events go: to a queue of SQS, or to a bus of EventBridge whose rules feed one.

use super::{AwsSettings, QueueSetting, reach};
use crate::cli::Failure;
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

/// The queue or the bus that events are sent to.
pub(crate) struct EventsSetting {
    target: Target,
}

enum Target {
    Queue(QueueUrl),
    Bus(String),
}

impl EventsSetting {
    /// Reads both variables, of which exactly one is to be set.
    pub(crate) fn read(aws: &AwsSettings, env: &mut Env) -> Option<Self> {
        let (queue, bus) = (env.optional::<String>(QueueSetting::EVENTS, "the URL of the queue that events go to, standard or .fifo; this or EVENT_BUS_NAME"), env.optional::<String>(BUS, "the bus of EventBridge that events go to, by name or ARN; a rule feeds a standard queue from it"));
        let target = match (queue, bus) {
            (Some(url), None) => Target::Queue(aws.queue_url(env, QueueSetting::EVENTS, &url)?),
            (None, Some(bus)) => Target::Bus(bus),
            (None, None) => {
                let text = "is not set, and neither is EVENT_BUS_NAME; set one of them, to the queue or the bus that \
                            events go to";
                env.problem(QueueSetting::EVENTS, text);
                return None;
            }
            (Some(_), Some(_)) => {
                let text = "is set, and so is SQS_QUEUE_URL; events go one way: set one of them";
                env.problem(BUS, text);
                return None;
            }
        };
        Some(Self { target })
    }

    /// How long before it is due an expiry is handed over, by `EXPIRY_TIMER`: not at all, or as early as the queue keeps it
    /// back. `events` is what [`Self::read`] found.
    pub(crate) fn lead(events: Option<&Self>, env: &mut Env) -> Duration {
        let lead = env.one_of(
            TIMER,
            "who waits until a hold runs out: relay, this process; queue, by the delay of a standard queue",
            &[("relay", Duration::ZERO), ("queue", RelayOptions::LEAD_MAX)],
            "relay",
        );
        let is_kept = match events.map(|events| &events.target) {
            // What is wrong with the target has been told already.
            None => true,
            Some(Target::Queue(url)) => url.kind() == QueueKind::Standard,
            Some(Target::Bus(_)) => false,
        };
        if !lead.is_zero() && !is_kept {
            let text = "is queue, which needs a standard queue in SQS_QUEUE_URL: FIFO queues and buses delay no \
                        message; set it to relay, or SQS_QUEUE_URL to a queue without .fifo";
            env.problem(TIMER, text);
        }
        lead
    }

    /// Reaches it, and hands out the way there.
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
    fn events_go_exactly_one_way() {
        for good in [STANDARD, FIFO, BUS] {
            assert_eq!(read(&[good]), (String::new(), Duration::ZERO), "{good:?}");
        }
        for bad in [&[][..], &[STANDARD, BUS]] {
            let told = read(bad).0;
            assert!(told.contains("SQS_QUEUE_URL") && told.contains("EVENT_BUS_NAME"), "{told}");
        }
    }

    #[test]
    fn only_a_standard_queue_is_a_timer() {
        assert_eq!(read(&[STANDARD, QUEUE_TIMER]), (String::new(), Duration::from_secs(900)));
        for target in [FIFO, BUS] {
            let told = read(&[target, QUEUE_TIMER]).0;
            assert!(told.contains("EXPIRY_TIMER") && told.contains("SQS_QUEUE_URL"), "{told}");
        }
        assert!(read(&[STANDARD, ("EXPIRY_TIMER", "sundial")]).0.contains("relay, queue"));
    }
}

//! A rule of EventBridge that feeds a standard queue (a rule has one static message group, so it
//! cannot feed a FIFO queue in order).

use super::queues::ExistingQueue;
use super::{Done, Mode, absent};
use crate::connect::Aws;
use crate::fault::{Failure, Unusable};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

/// A target's id within its rule.
const TARGET: &str = "events";

/// A rule that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDefinition {
    /// The bus that it listens to; `default` exists in every account.
    pub bus: String,
    /// Its name.
    pub name: String,
    /// The types of events that it forwards.
    pub types: Vec<String>,
}

impl RuleDefinition {
    /// The event pattern.
    pub fn pattern(&self) -> Value {
        json!({"detail-type": self.types})
    }

    /// The queue's permission for the rule's events.
    pub fn queue_policy(queue: &ExistingQueue, rule_arn: &str) -> Value {
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "EventsOfTheRule",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue.arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            }],
        })
    }

    /// Finds the rule or makes it, with its bus, its target and the queue's permission. `queue` is
    /// `None` if a dry run found no queue.
    ///
    /// # Errors
    ///
    /// When AWS does not answer or refuses; the text says what to change.
    pub async fn ensure(
        &self,
        aws: &Aws,
        queue: Option<&ExistingQueue>,
        mode: Mode,
    ) -> Result<Done, Unusable> {
        let unusable = |failure: Failure| {
            let allow = "events:DescribeRule, events:PutRule, events:ListTargetsByRule, events:PutTargets, \
                         events:DescribeEventBus and events:CreateEventBus";
            Unusable::from_failure(&failure, "--event-bus", allow, aws.region())
        };
        let client = Client::new(aws.sdk());
        let complete = match queue {
            Some(queue) => self.is_complete(&client, queue).await.map_err(unusable)?,
            None => false,
        };
        match (complete, mode, queue) {
            (true, ..) => Ok(Done::WasThere),
            (false, Mode::DryRun, _) | (false, _, None) => Ok(Done::Missing),
            (false, Mode::Make, Some(queue)) => {
                self.make(aws, &client, queue).await.map_err(unusable)?;
                Ok(Done::Made)
            }
        }
    }

    async fn is_complete(&self, client: &Client, queue: &ExistingQueue) -> Result<bool, Failure> {
        let (bus, name) = (&self.bus, &self.name);
        let rule = client.describe_rule().event_bus_name(bus).name(name).send().await;
        let rule =
            absent(rule.map_err(|error| Failure::from_sdk(&format!("events:DescribeRule {name}"), &error)))?;
        let pattern = rule.and_then(|rule| serde_json::from_str::<Value>(&rule.event_pattern?).ok());
        if pattern.as_ref() != Some(&self.pattern()) {
            return Ok(false);
        }
        let targets = client.list_targets_by_rule().event_bus_name(bus).rule(name).send().await;
        let targets = targets
            .map_err(|error| Failure::from_sdk(&format!("events:ListTargetsByRule {name}"), &error))?;
        Ok(targets.targets().iter().any(|target| target.arn() == queue.arn))
    }

    async fn make(&self, aws: &Aws, client: &Client, queue: &ExistingQueue) -> Result<(), Failure> {
        let (bus, name) = (&self.bus, &self.name);
        let found = client.describe_event_bus().name(bus).send().await;
        let found =
            found.map_err(|error| Failure::from_sdk(&format!("events:DescribeEventBus {bus}"), &error));
        if absent(found)?.is_none() {
            let made = client.create_event_bus().name(bus).send().await;
            made.map_err(|error| Failure::from_sdk(&format!("events:CreateEventBus {bus}"), &error))?;
        }
        let rule = client.put_rule().event_bus_name(bus).name(name).event_pattern(self.pattern().to_string());
        let rule = rule.send().await;
        let rule = rule.map_err(|error| Failure::from_sdk(&format!("events:PutRule {name}"), &error))?;
        let policy = Self::queue_policy(queue, rule.rule_arn.as_deref().unwrap_or_default());
        let sqs = aws_sdk_sqs::Client::new(aws.sdk());
        let allowed = sqs
            .set_queue_attributes()
            .queue_url(queue.url.as_str())
            .attributes(QueueAttributeName::Policy, policy.to_string())
            .send()
            .await;
        allowed.map_err(|error| {
            Failure::from_sdk(&format!("sqs:SetQueueAttributes of {}", queue.url), &error)
        })?;
        let target = Target::builder().id(TARGET).arn(&queue.arn).build().expect("id and ARN are set");
        let put = client.put_targets().event_bus_name(bus).rule(name).targets(target).send().await;
        put.map(drop).map_err(|error| Failure::from_sdk(&format!("events:PutTargets of {name}"), &error))
    }
}

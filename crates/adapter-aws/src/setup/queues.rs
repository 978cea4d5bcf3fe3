//! Queues with their attributes, and the redrive policy between them.

use super::{Done, Mode, absent};
use crate::connect::Aws;
use crate::fault::{Failure, Unusable};
use crate::sqs::QueueUrl;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use core::time::Duration;
use ports::queue::QueueKind;
use std::collections::HashMap;

/// The longest that SQS keeps a message.
const RETENTION: Duration = Duration::from_secs(14 * 24 * 3_600);

/// A queue that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDefinition {
    /// Its name, without `.fifo`.
    pub stem: String,
    /// Its kind.
    pub kind: QueueKind,
    /// How long a received message is hidden unless the receiver says otherwise.
    pub visibility: Duration,
    /// The ARN of its dead-letter queue and the receives after which a message is moved there.
    pub redrive: Option<(String, u32)>,
}

/// An existing queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingQueue {
    /// Its URL.
    pub url: QueueUrl,
    /// Its name in policies.
    pub arn: String,
}

impl QueueDefinition {
    /// The queue's name.
    pub fn name(&self) -> String {
        match self.kind {
            QueueKind::Fifo => format!("{}.fifo", self.stem),
            QueueKind::Standard => self.stem.clone(),
        }
    }

    /// The attributes that it is made with and compared by.
    pub fn attributes(&self) -> Vec<(Name, String)> {
        let mut attributes = vec![
            (Name::MessageRetentionPeriod, RETENTION.as_secs().to_string()),
            (Name::VisibilityTimeout, self.visibility.as_secs().to_string()),
        ];
        if self.kind == QueueKind::Fifo {
            attributes.push((Name::FifoQueue, "true".to_owned()));
        }
        if let Some((arn, max)) = &self.redrive {
            // Texts, as the console writes them.
            let policy = serde_json::json!({"deadLetterTargetArn": arn, "maxReceiveCount": max.to_string()});
            attributes.push((Name::RedrivePolicy, policy.to_string()));
        }
        attributes
    }

    /// Finds the queue or makes it. `None` if a dry run found none.
    ///
    /// # Errors
    ///
    /// When a queue of that name has other settings, or AWS does not answer or refuses; the text
    /// says what to change.
    pub async fn ensure(&self, aws: &Aws, mode: Mode) -> Result<(Done, Option<ExistingQueue>), Unusable> {
        let client = Client::new(aws.sdk());
        let unusable = |failure: Failure| {
            let allow = "sqs:GetQueueUrl, sqs:GetQueueAttributes and sqs:CreateQueue";
            Unusable::from_failure(&failure, "--prefix", allow, aws.region())
        };
        if let Some(queue) = self.find(&client).await.map_err(unusable)? {
            self.compare(&client, &queue).await?;
            return Ok((Done::WasThere, Some(queue)));
        }
        if mode == Mode::DryRun {
            return Ok((Done::Missing, None));
        }
        let name = self.name();
        let call = client.create_queue().queue_name(&name);
        let call = call.set_attributes(Some(self.attributes().into_iter().collect()));
        let failed = |error| Failure::from_sdk(&format!("sqs:CreateQueue {name}"), &error);
        call.send().await.map_err(failed).map_err(unusable)?;
        match self.find(&client).await.map_err(unusable)? {
            Some(queue) => Ok((Done::Made, Some(queue))),
            None => Err(Unusable::Silent(format!(
                "the queue {name} was made and is not there yet; run this again"
            ))),
        }
    }

    /// Removes the queue and its messages.
    ///
    /// # Errors
    ///
    /// When AWS does not answer or refuses.
    pub async fn remove(&self, aws: &Aws) -> Result<(), Unusable> {
        let client = Client::new(aws.sdk());
        let unusable =
            |failure: Failure| Unusable::from_failure(&failure, "--prefix", "sqs:DeleteQueue", aws.region());
        if let Some(queue) = self.find(&client).await.map_err(unusable)? {
            let gone = client.delete_queue().queue_url(queue.url.as_str()).send().await;
            let failed = |error| Failure::from_sdk(&format!("sqs:DeleteQueue {}", queue.url), &error);
            absent(gone.map_err(failed)).map_err(unusable)?;
        }
        Ok(())
    }

    async fn find(&self, client: &Client) -> Result<Option<ExistingQueue>, Failure> {
        let name = self.name();
        let found = client.get_queue_url().queue_name(&name).send().await;
        let found =
            absent(found.map_err(|error| Failure::from_sdk(&format!("sqs:GetQueueUrl {name}"), &error)))?;
        let url = found.and_then(|found| found.queue_url).and_then(|url| url.parse::<QueueUrl>().ok());
        let Some(url) = url else { return Ok(None) };
        let attributes = attributes_of(client, &url, &[Name::QueueArn]).await?;
        Ok(attributes.get(&Name::QueueArn).map(|arn| ExistingQueue { arn: arn.clone(), url }))
    }

    async fn compare(&self, client: &Client, queue: &ExistingQueue) -> Result<(), Unusable> {
        let wanted = self.attributes();
        let names: Vec<Name> = wanted.iter().map(|(name, _)| name.clone()).collect();
        let found = attributes_of(client, &queue.url, &names).await;
        let found = found.map_err(|failure| Unusable::Silent(failure.to_string()))?;
        let differing = wanted.iter().filter_map(|(name, wanted)| {
            let is = match found.get(name) {
                Some(is) => is,
                // Some servers know no retention.
                None if *name == Name::MessageRetentionPeriod => return None,
                None => "nothing",
            };
            (!same(wanted, is)).then(|| format!("{name} is {is}, should be {wanted}"))
        });
        let differing: Vec<String> = differing.collect();
        if differing.is_empty() {
            return Ok(());
        }
        let (name, differing) = (self.name(), differing.join("; "));
        Err(Unusable::Setting(format!(
            "the queue {name} exists with other settings: {differing}. Set its attributes, or give another --prefix"
        )))
    }
}

async fn attributes_of(
    client: &Client,
    url: &QueueUrl,
    names: &[Name],
) -> Result<HashMap<Name, String>, Failure> {
    let call = client.get_queue_attributes().queue_url(url.as_str());
    let found = call.set_attribute_names(Some(names.to_vec())).send().await;
    let found =
        found.map_err(|error| Failure::from_sdk(&format!("sqs:GetQueueAttributes of {url}"), &error))?;
    Ok(found.attributes.unwrap_or_default())
}

/// Policies are the same if they mean the same, in any order, and whether a count is a number or a
/// text.
fn same(wanted: &str, is: &str) -> bool {
    let policy = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let count = &value["maxReceiveCount"];
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        Some((value["deadLetterTargetArn"].as_str()?.to_owned(), count))
    };
    wanted == is || policy(wanted).is_some_and(|wanted| policy(is) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_compared_by_what_it_says() {
        let wanted = r#"{"deadLetterTargetArn":"a","maxReceiveCount":"100"}"#;
        assert!(same(wanted, r#"{"maxReceiveCount":100,"deadLetterTargetArn":"a"}"#));
        assert!(!same(wanted, r#"{"maxReceiveCount":5,"deadLetterTargetArn":"a"}"#));
        assert!(!same(wanted, "nothing"));
        assert!(same("60", "60") && !same("60", "30"));
    }
}

//! Where a producer's events go: to a queue of SQS, or to a bus of EventBridge whose rule feeds one.

use super::{AwsSettings, QueueSetting, reach};
use crate::cli::Failure;
use adapter_aws::{QueueUrl, SqsQueue};
use core::fmt;
use ports::{Clock, Queue};
use runtime::config::Env;
use std::sync::Arc;

/// The queue that events are sent to.
pub(crate) struct EventsSetting {
    aws: AwsSettings,
    queue: QueueUrl,
}

impl EventsSetting {
    pub(crate) fn read(env: &mut Env) -> Option<Self> {
        let aws = AwsSettings::read(env);
        let url: String =
            env.required(QueueSetting::EVENTS, "the URL of the queue that events go to, standard or .fifo")?;
        let queue = aws.queue_url(env, QueueSetting::EVENTS, &url)?;
        Some(Self { aws, queue })
    }

    pub(crate) async fn open(&self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Queue>, Failure> {
        let queue = SqsQueue::new(&self.aws.connect().await, &self.queue);
        reach(&**clock, || queue.check(QueueSetting::EVENTS)).await?;
        Ok(Arc::new(queue))
    }
}

impl fmt::Display for EventsSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.queue.as_str())
    }
}

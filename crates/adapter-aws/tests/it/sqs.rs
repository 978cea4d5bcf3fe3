//! The queue suite on servers that other people wrote: ElasticMQ and MiniStack.
//!
//! Their time is real, so a case that needs the end of a lease waits for it; see docs/engines.md
//! for how they differ from SQS.

use adapter_aws::{Aws, QueueUrl, SqsQueue};
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use ports::Queue;
use ports::queue::QueueKind;
use ports_contract::queue::{Differences, QueueHarness, VISIBILITY};
use std::sync::Arc;

const REGION: &str = "ap-northeast-2";

/// A server that speaks SQS.
pub(crate) struct Server {
    aws: Aws,
    client: Client,
    differences: Differences,
}

impl Server {
    pub(crate) fn new(endpoint: &str, differences: Differences) -> Self {
        let aws = Aws::local(endpoint, REGION);
        Self { client: Client::new(aws.sdk()), aws, differences }
    }

    /// Makes a queue with a unique name.
    async fn make(&self, kind: QueueKind, redrive: Option<(&str, u32)>) -> QueueUrl {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let suffix = if kind == QueueKind::Fifo { ".fifo" } else { "" };
        let name = format!("contract-{}-{number}{suffix}", std::process::id());
        let mut call = self
            .client
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY.as_secs().to_string());
        if kind == QueueKind::Fifo {
            call = call.attributes(QueueAttributeName::FifoQueue, "true");
        }
        if let Some((arn, max)) = redrive {
            let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{max}"}}"#);
            call = call.attributes(QueueAttributeName::RedrivePolicy, policy);
        }
        let made = call.send().await.expect("the server makes a queue");
        made.queue_url.expect("it has a URL").parse().expect("it is one")
    }

    fn open(&self, url: &QueueUrl) -> Arc<dyn Queue> {
        Arc::new(SqsQueue::new(&self.aws, url))
    }
}

#[async_trait]
impl QueueHarness for Server {
    async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue> {
        self.open(&self.make(kind, None).await)
    }

    async fn queue_with_redrive(
        &self,
        kind: QueueKind,
        max_receive_count: u32,
    ) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let dead = self.make(kind, None).await;
        let asked = self.client.get_queue_attributes().queue_url(dead.as_str());
        let asked = asked.attribute_names(QueueAttributeName::QueueArn).send().await;
        let arn = asked.expect("the server tells").attributes.expect("attributes");
        let arn = &arn[&QueueAttributeName::QueueArn];
        let queue = self.make(kind, Some((arn, max_receive_count))).await;
        (self.open(&queue), self.open(&dead))
    }

    #[allow(clippy::disallowed_methods, reason = "the server's time is real")]
    async fn advance(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn reopen(&self, _: Arc<dyn Queue>) -> Option<Arc<dyn Queue>> {
        None
    }

    fn differences(&self) -> Differences {
        self.differences
    }
}

/// How SQS itself differs from an engine in this process; its time is real.
const OF_SQS: Differences = Differences {
    minutes_are_real: true,
    dropped_receive_may_orphan: true,
    depth_is_approximate: true,
    silent_deduplication: true,
    stale_fifo_receipt_deletes: false,
    stale_receipt_extends: false,
    old_standard_receipt_is_refused: false,
    repeated_delete_is_refused: false,
    visibility_is_renewed_for_ever: false,
    handing_back_frees_the_group: false,
};

/// How both servers differ from the documentation of SQS.
const OF_BOTH: Differences = Differences {
    stale_fifo_receipt_deletes: true,
    stale_receipt_extends: true,
    old_standard_receipt_is_refused: true,
    repeated_delete_is_refused: true,
    visibility_is_renewed_for_ever: true,
    ..OF_SQS
};

mod elasticmq {
    use super::{Differences, OF_BOTH, Server};

    const DIFFERENCES: Differences = Differences { handing_back_frees_the_group: true, ..OF_BOTH };
    ports_contract::queue_contract!(Server::new(&engines::sqs(), DIFFERENCES));
}

mod ministack {
    use super::{OF_BOTH, Server};
    ports_contract::queue_contract!(Server::new(&engines::ministack(), OF_BOTH));
}

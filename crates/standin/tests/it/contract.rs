//! The queue suite on the stand-in, through the adapter and the SDK. The test advances its clock
//! and never waits.

use adapter_aws::{Aws, QueueUrl, SqsQueue};
use async_trait::async_trait;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use ports::Queue;
use ports::queue::QueueKind;
use ports_contract::queue::{Differences, QueueHarness, VISIBILITY};
use standin::{Journal, QueueSpec, Sqs};
use std::sync::Arc;
use tokio::sync::OnceCell;

#[derive(Default)]
struct Server {
    sqs: OnceCell<Sqs>,
    made: AtomicU32,
}

impl Server {
    async fn sqs(&self) -> &Sqs {
        let start = || async { Sqs::start(Arc::new(Journal::new())).await.expect("it listens") };
        self.sqs.get_or_init(start).await
    }

    async fn make(&self, kind: QueueKind, redrive: Option<(String, u32)>) -> (String, Arc<dyn Queue>) {
        let suffix = if kind == QueueKind::Fifo { ".fifo" } else { "" };
        let name = format!("queue-{}{suffix}", self.made.fetch_add(1, Ordering::Relaxed));
        let sqs = self.sqs().await;
        let url = sqs.create(QueueSpec { name: name.clone(), visibility: VISIBILITY, redrive });
        let aws = Aws::local(&sqs.endpoint(), "ap-northeast-2");
        let url: QueueUrl = url.parse().expect("it is the URL of a queue");
        (name, Arc::new(SqsQueue::new(&aws, &url)))
    }
}

#[async_trait]
impl QueueHarness for Server {
    async fn queue(&self, kind: QueueKind) -> Arc<dyn Queue> {
        self.make(kind, None).await.1
    }

    async fn queue_with_redrive(
        &self,
        kind: QueueKind,
        max_receive_count: u32,
    ) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let (name, dead) = self.make(kind, None).await;
        (self.make(kind, Some((name, max_receive_count))).await.1, dead)
    }

    async fn advance(&self, duration: Duration) {
        self.sqs().await.advance(duration);
    }

    async fn reopen(&self, _: Arc<dyn Queue>) -> Option<Arc<dyn Queue>> {
        None
    }

    fn differences(&self) -> Differences {
        Differences { dropped_receive_may_orphan: true, silent_deduplication: true, ..Differences::default() }
    }
}

ports_contract::queue_contract!(Server::default());

//! The engines on AWS: SQS, DynamoDB, EventBridge, Scheduler, Secrets Manager. Only this crate
//! names the AWS SDK.
//!
//! - [`Aws`] holds the endpoints and credentials, by the SDK's default chains.
//! - [`SqsQueue`] is the port [`ports::Queue`], [`LetterBox`] reads a dead-letter queue.
//! - [`DynamoStore`] is the port [`ports::Store`].
//! - [`EventBus`] is the port [`ports::Publisher`], [`Schedules`] is [`ports::Backstop`].
//! - [`Secret`] is one JSON secret of Secrets Manager.
//! - [`setup`] makes missing tables, queues and rules.
//!
//! Errors are classified here (`fault`), with messages that name what to change. Nothing is retried
//! below the callers of the queue; the store retries what DynamoDB asks to be retried.

mod bus;
mod connect;
pub mod dynamo;
mod fault;
mod keys;
mod schedules;
mod secrets;
pub mod setup;
pub mod sqs;

pub use bus::EventBus;
pub use connect::Aws;
pub use dynamo::DynamoStore;
pub use fault::Unusable;
pub use schedules::Schedules;
pub use secrets::Secret;
pub use sqs::{LetterBox, QueueUrl, SqsQueue};

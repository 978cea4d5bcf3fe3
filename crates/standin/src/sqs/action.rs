//! The calls that the queue supports.

/// A call of the queue's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum Action {
    ReceiveMessage,
    DeleteMessage,
    DeleteMessageBatch,
    ChangeMessageVisibility,
    ChangeMessageVisibilityBatch,
    SendMessage,
    SendMessageBatch,
    GetQueueAttributes,
    GetQueueUrl,
}

impl Action {
    /// Every call, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::ReceiveMessage,
        Self::DeleteMessage,
        Self::DeleteMessageBatch,
        Self::ChangeMessageVisibility,
        Self::ChangeMessageVisibilityBatch,
        Self::SendMessage,
        Self::SendMessageBatch,
        Self::GetQueueAttributes,
        Self::GetQueueUrl,
    ];

    /// The name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReceiveMessage => "ReceiveMessage",
            Self::DeleteMessage => "DeleteMessage",
            Self::DeleteMessageBatch => "DeleteMessageBatch",
            Self::ChangeMessageVisibility => "ChangeMessageVisibility",
            Self::ChangeMessageVisibilityBatch => "ChangeMessageVisibilityBatch",
            Self::SendMessage => "SendMessage",
            Self::SendMessageBatch => "SendMessageBatch",
            Self::GetQueueAttributes => "GetQueueAttributes",
            Self::GetQueueUrl => "GetQueueUrl",
        }
    }

    /// The action that an IAM policy must allow for it.
    pub const fn permission(self) -> Self {
        match self {
            Self::DeleteMessageBatch => Self::DeleteMessage,
            Self::ChangeMessageVisibilityBatch => Self::ChangeMessageVisibility,
            Self::SendMessageBatch => Self::SendMessage,
            other => other,
        }
    }

    /// From the header `X-Amz-Target`.
    pub(super) fn from_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("AmazonSQS.")?;
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

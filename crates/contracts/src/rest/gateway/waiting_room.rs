//! The waiting room: its place in line, the status of it, and the pass.

use super::schema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /queue/join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JoinRequest, description = "Which line.")]
pub struct Join {
    /// The show.
    #[schema(value_type = schema::Id)]
    pub event_id: String,
    /// Who you are, if you send no bearer token. With one, leave it out or let it be its `sub`.
    #[serde(default)]
    #[schema(value_type = schema::Id, required = false)]
    pub user_id: Option<String>,
}

/// The answer to [`Join`], status 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A place in line.")]
pub struct Joined {
    /// The ticket; every later call about this position names it.
    #[schema(value_type = schema::WaitingToken)]
    pub waiting_token: String,
    /// People ahead of you, and you.
    #[schema(minimum = 1)]
    pub position_hint: u64,
    /// You wait.
    #[schema(value_type = schema::Waiting, inline)]
    pub status: QueueStatus,
    /// Whole seconds until it is your turn, about. Null if nobody can say, for example while the
    /// line is paused.
    #[schema(required)]
    pub eta_sec: Option<u64>,
    /// Milliseconds after which to ask again. Longer far back in the line.
    #[schema(minimum = 500)]
    pub poll_after_ms: u64,
}

/// The state of a position in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueStatus {
    /// In line.
    Waiting,
    /// It is their turn, or they have entered and their pass lives.
    Ready,
    /// They missed their turn, or their pass has expired.
    Expired,
    /// They have left.
    Left,
}

impl QueueStatus {
    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Expired => "expired",
            Self::Left => "left",
        }
    }
}

/// The answer of `GET /queue/status`, and each event of `GET /queue/stream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = QueueStatus, description = "Where you stand.")]
pub struct Status {
    /// `waiting`: in line. `ready`: your turn, also after you entered and while the pass lives.
    /// `expired`: your turn is over. `left`: you gave your place up.
    #[schema(value_type = schema::PlaceState, inline)]
    pub status: QueueStatus,
    /// People ahead of you, and you. 0 when it is your turn, and when it is over.
    pub position: u64,
    /// Whole seconds until it is your turn, about. Null if nobody can say, for example while the
    /// line is paused.
    #[schema(required)]
    pub eta_sec: Option<u64>,
    /// Whole seconds since you joined.
    pub waiting_time: u64,
    /// Whether to call `queue/enter` now.
    pub ready_for_entry: bool,
    /// Milliseconds after which to ask again. Longer far back in the line.
    #[schema(minimum = 500)]
    pub poll_after_ms: u64,
    /// Whether the line is paused by the operator.
    pub paused: bool,
    /// What the operator tells those who wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub message: Option<String>,
    /// Whole seconds left to enter, when it is your turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub ready_for_sec: Option<u64>,
}

/// `POST /queue/enter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnterRequest, description = "Whose turn it is.")]
pub struct Enter {
    /// The ticket.
    #[schema(value_type = schema::WaitingToken)]
    pub waiting_token: String,
}

/// The answer to [`Enter`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "A pass.")]
pub struct Entered {
    /// You are in.
    #[schema(value_type = schema::Granted, inline)]
    pub admission: String,
    /// The pass. It is signed, yours, for this show and for one reservation.
    #[schema(min_length = 1, max_length = 4096)]
    pub reservation_token: String,
    /// Whole seconds that the pass is good for.
    pub ttl_sec: u64,
}

/// The answer of `POST /queue/leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "Where you stand after leaving.")]
pub struct Left {
    /// `left`: not in line any more. A person inside does not leave: the answer is `ready` while
    /// the pass lives, then `expired`.
    #[schema(value_type = schema::LeftState, inline)]
    pub status: QueueStatus,
}

/// An event of `GET /queue/stream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(description = "One event of the stream.")]
pub struct StatusEvent {
    /// The name of the event.
    #[schema(value_type = schema::StatusName, inline)]
    pub event: String,
    /// The JSON of a QueueStatus, on one line.
    #[schema(content_media_type = "application/json")]
    pub data: String,
}

//! Headers that services add to their answers.

/// The header, and gRPC metadata between services, that marks the recorded answer to an earlier
/// request under the same Idempotency-Key. Its value is `true`.
pub const RECORDED: &str = "x-idempotency-cached";

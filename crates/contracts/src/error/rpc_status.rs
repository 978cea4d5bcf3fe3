//! `google.rpc.Status`, the one shape that gRPC tools understand in a status' details. It is
//! defined here because two messages are not worth a dependency.

use crate::common::v1::Error;
use bytes::Bytes;
use prost::Message;

const TYPE_URL: &str = "type.googleapis.com/common.v1.Error";

/// <https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// The bytes for a status' details.
pub(super) fn encode(code: i32, message: &str, error: &Error) -> Bytes {
    let any = prost_types::Any { type_url: TYPE_URL.to_owned(), value: error.encode_to_vec() };
    RpcStatus { code, message: message.to_owned(), details: vec![any] }.encode_to_vec().into()
}

/// The error in a status' details, if a service of this family put one there.
pub(super) fn decode(details: &[u8]) -> Option<Error> {
    if details.is_empty() {
        return None;
    }
    let status = RpcStatus::decode(details).ok()?;
    let any = status.details.into_iter().find(|any| any.type_url == TYPE_URL)?;
    Error::decode(any.value.as_slice()).ok()
}

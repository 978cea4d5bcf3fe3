//! The Idempotency-Key of a request: one check and one text for every API.

use crate::error::{Code, WireError};
use http::HeaderValue;
use std::sync::Arc;

/// The field that errors name.
const FIELD: &str = "idempotency_key";

/// A key under which a request has its effect once: 1 to 128 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The longest key.
    pub const BYTES_MAX: usize = 128;

    /// Reads a key. The empty text is a missing key.
    ///
    /// # Errors
    /// [`Self::missing`] or [`Self::malformed`].
    pub fn parse(text: &str) -> Result<Self, WireError> {
        if text.is_empty() {
            return Err(Self::missing());
        }
        if text.len() > Self::BYTES_MAX || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Self::malformed());
        }
        Ok(Self(text.into()))
    }

    /// Reads the header `Idempotency-Key`. An empty value is a missing key.
    ///
    /// # Errors
    /// [`Self::missing`] or [`Self::malformed`].
    pub fn from_header(value: &HeaderValue) -> Result<Self, WireError> {
        Self::parse(value.to_str().map_err(|_| Self::malformed())?)
    }

    /// The error of a request that needs a key and has none.
    pub fn missing() -> WireError {
        WireError::new(
            Code::IdempotencyRequired,
            "the Idempotency-Key is missing; send one of your choice, the same at every retry",
        )
        .detail(FIELD, "MISSING", "")
    }

    /// The error of a key that is too long or has other characters.
    pub fn malformed() -> WireError {
        let max = Self::BYTES_MAX;
        WireError::invalid(
            FIELD,
            format!("the Idempotency-Key must be 1 to {max} printable ASCII characters"),
        )
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_printable_and_short() {
        for good in ["k", "with space", &"x".repeat(128), "~!"] {
            assert_eq!(IdempotencyKey::parse(good).expect(good).as_str(), good);
        }
        assert_eq!(IdempotencyKey::parse("").unwrap_err().code, Code::IdempotencyRequired);
        for bad in ["\t", "a\u{7f}", "좌석", &"x".repeat(129)] {
            assert_eq!(IdempotencyKey::parse(bad).unwrap_err().code, Code::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn a_header_is_read_by_the_same_rule() {
        let read = |bytes: &[u8]| {
            let value = HeaderValue::from_bytes(bytes).expect("a header's value");
            IdempotencyKey::from_header(&value).map_err(|error| error.code)
        };
        assert_eq!(read(b"k").map(|key| key.as_str().to_owned()), Ok("k".to_owned()));
        assert_eq!(read(b""), Err(Code::IdempotencyRequired));
        assert_eq!(read(b"\xff"), Err(Code::InvalidArgument));
    }
}

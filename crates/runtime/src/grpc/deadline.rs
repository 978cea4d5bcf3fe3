//! The caller's deadline, as the header `grpc-timeout` says it: at most eight digits and a
//! unit.

use core::time::Duration;
use http::HeaderMap;

/// The time that the caller gives the call; `None` if it does not say, or not as the
/// protocol asks.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_the_protocol_writes_it() {
        let read = |text: &str| {
            from_headers(&HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), text.parse().unwrap())]))
        };
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("1S"), Some(Duration::from_secs(1)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        assert_eq!(read("250000u"), Some(Duration::from_millis(250)));
        for bad in ["", "m", "250", "250x", "-1m", "123456789m", "1.5S"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(from_headers(&HeaderMap::new()), None);
    }
}

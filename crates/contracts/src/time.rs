//! Points in time on the wire: RFC 3339 text with milliseconds, and `google.protobuf.Timestamp`.
//!
//! Both forms end with the year 9999, so [`Timestamp::MAX`] and every later time is written as
//! about the last second of that year. Reading a time before 1970 fails.

use domain::time::Timestamp;
use jiff::civil;
use jiff::fmt::temporal::{DateTimeParser, DateTimePrinter};

/// 9999-12-30T22:00:00Z, the last second that every offset can express.
const LAST_MILLIS: i64 = 253_402_207_200_000;

static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
static PARSER: DateTimeParser = DateTimeParser::new();

/// `2025-01-23T10:00:00.000Z`.
pub fn rfc3339(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(clamped(at)).unwrap_or_default();
    PRINTER.timestamp_to_string(&instant)
}

/// Reads RFC 3339 with any offset. A text without an offset is read as UTC, because earlier
/// producers write the local time of machines that run on UTC. `None` for anything else and for
/// times before 1970.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    // The parser also accepts week dates, bare dates and zone annotations, which RFC 3339 does not
    // have.
    if bytes.get(10).is_none_or(|b| !matches!(b, b'T' | b't' | b' ')) || text.contains('[') {
        return None;
    }
    let instant = match PARSER.parse_timestamp(text) {
        Ok(instant) => instant,
        Err(_) if has_offset(text) => return None,
        Err(_) => {
            let local: civil::DateTime = PARSER.parse_datetime(text).ok()?;
            local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    u64::try_from(instant.as_millisecond())
        .ok()
        .filter(|_| instant.as_second() >= 0)
        .map(Timestamp::from_millis)
}

/// As a protobuf message.
pub fn to_proto(at: Timestamp) -> prost_types::Timestamp {
    let millis = clamped(at);
    prost_types::Timestamp { seconds: millis / 1000, nanos: (millis % 1000) as i32 * 1_000_000 }
}

/// From a protobuf message; parts of a millisecond are dropped. `None` for times before 1970 and
/// for nanoseconds outside a second.
pub fn from_proto(at: &prost_types::Timestamp) -> Option<Timestamp> {
    let seconds = u64::try_from(at.seconds).ok()?;
    let nanos = u64::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Timestamp::from_millis(seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)?))
}

fn clamped(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX).min(LAST_MILLIS)
}

fn has_offset(text: &str) -> bool {
    text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_has_milliseconds_and_utc() {
        assert_eq!(rfc3339(Timestamp::from_millis(1_737_626_400_007)), "2025-01-23T10:00:00.007Z");
        assert_eq!(rfc3339(Timestamp::EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp::MAX), "9999-12-30T22:00:00.000Z");
    }

    #[test]
    fn every_spelling_of_one_instant_reads_the_same() {
        for text in [
            "2025-01-23T10:00:00Z",
            "2025-01-23t10:00:00z",
            "2025-01-23 10:00:00Z",
            "2025-01-23T10:00:00.000Z",
            "2025-01-23T10:00:00.000000999Z",
            "2025-01-23T19:00:00+09:00",
            "2025-01-23T05:30:00.000-04:30",
            "2025-01-23T10:00:00",
        ] {
            assert_eq!(parse_rfc3339(text), Some(Timestamp::from_millis(1_737_626_400_000)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_not_read() {
        for text in [
            "",
            "now",
            "1737626400",
            "2025-01-23",
            "2025-13-01T00:00:00Z",
            "2025-01-23T25:00:00Z",
            "1969-12-31T23:59:59.999Z",
            "2025-01-23T10:00:00+99:00",
            "2025-01-23T10:00:00+09:00[Asia/Seoul]",
            "2025-01-23T10:00:00Zjunk",
            "２025-01-23T10:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(from_proto(&prost_types::Timestamp { seconds: -1, nanos: 0 }), None);
        assert_eq!(from_proto(&prost_types::Timestamp { seconds: 0, nanos: -1 }), None);
        assert_eq!(from_proto(&prost_types::Timestamp { seconds: 0, nanos: 1_000_000_000 }), None);
        assert_eq!(from_proto(&prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }), None);
    }

    proptest! {
        #[test]
        fn both_forms_keep_every_millisecond(millis in 0..=LAST_MILLIS as u64) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
            prop_assert_eq!(from_proto(&to_proto(at)), Some(at));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }
}

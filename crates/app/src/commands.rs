//! The commands of `tacos`: each is one file with its arguments.

#[cfg(feature = "aws")]
pub(crate) mod aws;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod dlq;
pub(crate) mod openapi;
mod place;
pub(crate) mod seed;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod up;

use core::time::Duration;
use place::Place;

/// The default data folder.
const DATA: &str = "tacos-data";

/// Reads a time such as `60s`, `1m30s` or `500ms`, by the rule of the environment's settings.
fn duration(text: &str) -> Result<Duration, String> {
    match runtime::config::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be longer than 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(expected) => Err(format!("is not {expected}; a number needs a unit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_a_unit() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3_600)));
        for bad in ["", "0s", "3", "-1s", "1y", "s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(duration("3").is_err_and(|text| text.contains("needs a unit")));
    }
}

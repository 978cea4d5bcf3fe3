//! Lengths of time as people write them.

use core::time::Duration;

/// `500ms`, `30s`, `2m`, `1h`, `1d`, with parts such as `1m30s` and fractions such as
/// `1.5s`; a number without a unit is refused, because half of the readers would take it
/// for milliseconds.
///
/// # Errors
/// What would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || "a length of time such as 500ms, 30s, 2m or 1h".to_owned();
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(expected());
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let seconds = match after[..unit_end].trim() {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(expected()),
        };
        let number: f64 = number.parse().map_err(|_| expected())?;
        // Milliseconds are the finest unit anywhere, so rounding to them keeps 0.1s from becoming
        // 99,999,999 ns.
        let millis = (number * seconds * 1_000.0).round();
        if millis > 1e15 {
            return Err(expected());
        }
        total += Duration::from_millis(millis as u64);
        rest = after[unit_end..].trim_start();
    }
    Ok(total)
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_need_a_unit() {
        let ms = |text| parse_duration(text).map(|time| time.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("30s"), Ok(30_000));
        assert_eq!(ms(" 1.5 s "), Ok(1_500));
        assert_eq!(ms("1m30s"), Ok(90_000));
        assert_eq!(ms("2h"), Ok(7_200_000));
        assert_eq!(ms("0s"), Ok(0));
        for bad in ["", "30", "s", "-1s", "1w", "1s x", "1..2s", "99999999999999999999s", "1e5s", "30s5"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}

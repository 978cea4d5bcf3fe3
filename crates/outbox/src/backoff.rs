//! How long to wait after failures: the wait doubles from the first up to a ceiling, with a jitter
//! of one fifth.

use core::time::Duration;
use domain::random::Random;

/// The wait after the `failures`-th failure in a row; zero after no failure.
pub fn rest(failures: u32, first: Duration, max: Duration, random: &mut impl Random) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = first.saturating_mul(1 << (failures - 1).min(20)).min(max);
    doubled.mul_f64(0.8 + 0.4 * random.unit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::random::SplitMix64;

    #[test]
    fn rests_double_up_to_the_ceiling_and_stay_within_the_jitter() {
        let mut random = SplitMix64::new(1);
        let (first, max) = (Duration::from_millis(50), Duration::from_secs(5));
        assert_eq!(rest(0, first, max, &mut random), Duration::ZERO);
        for failures in 1..200 {
            let plain = first.saturating_mul(1 << (failures - 1).min(20)).min(max);
            let rest = rest(failures, first, max, &mut random);
            assert!(rest >= plain.mul_f64(0.8) && rest <= plain.mul_f64(1.2), "{failures}: {rest:?}");
        }
    }
}

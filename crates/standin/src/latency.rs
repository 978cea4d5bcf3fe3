//! The latency of an answer, drawn from a seeded distribution.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use domain::random::{Random, SplitMix64};

/// The time from a request to its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Constant.
    Constant(Duration),
    /// Exponentially distributed with this mean.
    Exponential(Duration),
    /// Mostly fast, and slow in this share of calls.
    Bimodal {
        /// Latency of most calls.
        fast: Duration,
        /// Latency of the others.
        slow: Duration,
        /// 0.0 to 1.0.
        slow_share: f64,
    },
}

impl Latency {
    /// No latency.
    pub const NONE: Self = Self::Constant(Duration::ZERO);

    /// Draws the next latency.
    pub fn draw(&self, dice: &mut SplitMix64) -> Duration {
        match *self {
            Self::Constant(time) => time,
            Self::Exponential(mean) => mean.mul_f64(-(1.0 - dice.unit()).ln()),
            Self::Bimodal { fast, slow, slow_share } => {
                if dice.unit() < slow_share {
                    slow
                } else {
                    fast
                }
            }
        }
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Constant(time) | Self::Exponential(time) => time,
            Self::Bimodal { fast, slow, slow_share } => {
                fast.mul_f64(1.0 - slow_share) + slow.mul_f64(slow_share)
            }
        }
    }
}

/// `constant:20ms`, `exp:20ms` or `bimodal:5ms,200ms,0.05`.
impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not constant:20ms, exp:20ms or bimodal:5ms,200ms,0.05");
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        let parts: Vec<&str> = rest.split(',').collect();
        match (kind, parts.as_slice()) {
            ("constant", [time]) => Ok(Self::Constant(duration(time).ok_or_else(wrong)?)),
            ("exp", [mean]) => Ok(Self::Exponential(duration(mean).ok_or_else(wrong)?)),
            ("bimodal", [fast, slow, share]) => {
                let share = share.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                Ok(Self::Bimodal {
                    fast: duration(fast).ok_or_else(wrong)?,
                    slow: duration(slow).ok_or_else(wrong)?,
                    slow_share: share.ok_or_else(wrong)?,
                })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(time) => write!(f, "constant:{time:?}"),
            Self::Exponential(mean) => write!(f, "exp:{mean:?}"),
            Self::Bimodal { fast, slow, slow_share } => write!(f, "bimodal:{fast:?},{slow:?},{slow_share}"),
        }
    }
}

/// `20ms`, `1.5s`, `200us`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..digits].parse().ok()?;
    let seconds = match &text[digits..] {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_writes() {
        for text in ["constant:20ms", "exp:1.5s", "bimodal:5ms,200ms,0.05", "constant:200µs"] {
            let read: Result<Latency, _> = text.replace('µ', "u").parse();
            assert_eq!(read.unwrap().to_string(), text);
        }
        for bad in ["20ms", "constant:20", "exp:-1ms", "bimodal:5ms,200ms", "bimodal:5ms,200ms,2", "x:1ms"] {
            assert!(bad.parse::<Latency>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_mean_of_many_draws_is_the_mean() {
        for text in ["constant:20ms", "exp:20ms", "bimodal:5ms,200ms,0.05"] {
            let latency: Latency = text.parse().unwrap();
            let mut dice = SplitMix64::new(1);
            let sum: Duration = (0..100_000).map(|_| latency.draw(&mut dice)).sum();
            let off = (sum / 100_000).as_secs_f64() / latency.mean().as_secs_f64();
            assert!((0.97..1.03).contains(&off), "{text}: {off}");
        }
    }
}

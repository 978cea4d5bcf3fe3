//! Amounts of money in the smallest unit of a currency.

use core::fmt;
use std::sync::Arc;

/// An amount in minor units (KRW has none, so 1 is 1 won) with its ISO 4217 code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units, never negative.
    pub amount: u64,
    /// Three upper-case letters.
    pub currency: Currency,
}

/// An ISO 4217 code: three upper-case ASCII letters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Currency(Arc<str>);

impl Currency {
    /// Accepts three upper-case ASCII letters; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())).then(|| Self(text.into()))
    }

    /// The Korean won, the default currency of every API.
    pub fn krw() -> Self {
        Self("KRW".into())
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        assert!(Currency::parse("KRW").is_some());
        for bad in ["", "krw", "KRWW", "K1W", "원"] {
            assert!(Currency::parse(bad).is_none(), "{bad}");
        }
    }
}

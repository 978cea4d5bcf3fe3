//! Why a token is rejected.

/// A closed set of reasons, for the log and for counting. None reveals any content of the token.
/// The caller of an API only learns that the token is not valid: the reason would help to forge the
/// next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Rejected {
    /// There is no token.
    #[error("there is no token")]
    Missing,
    /// Not a token in the compact form, too long, asks for an extension, or has no expiry.
    #[error("it is not a readable token")]
    Malformed,
    /// `none`, an algorithm that is not accepted here, or one for which nothing is configured.
    #[error("its algorithm is not accepted")]
    Algorithm,
    /// The provider has no key, or more than one, that could have signed it.
    #[error("no known key could have signed it")]
    UnknownKey,
    /// Signed with another key, or changed.
    #[error("its signature does not match")]
    Signature,
    /// It has expired.
    #[error("it has expired")]
    Expired,
    /// It is not valid yet, or was issued in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// From another issuer.
    #[error("it is from another issuer")]
    Issuer,
    /// For another audience.
    #[error("it is for another audience")]
    Audience,
    /// Its subject is not a person's id.
    #[error("its subject is not a person")]
    Subject,
}

impl Rejected {
    /// Every reason, to resolve counters ahead of time.
    pub const ALL: [Self; 10] = [
        Self::Missing,
        Self::Malformed,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::Expired,
        Self::NotYetValid,
        Self::Issuer,
        Self::Audience,
        Self::Subject,
    ];

    /// The value of a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Subject => "subject",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_reason_has_its_own_label_and_message() {
        let labels: BTreeSet<_> = Rejected::ALL.iter().map(|reason| reason.as_str()).collect();
        let words: BTreeSet<_> = Rejected::ALL.iter().map(ToString::to_string).collect();
        assert_eq!((labels.len(), words.len()), (Rejected::ALL.len(), Rejected::ALL.len()));
    }
}

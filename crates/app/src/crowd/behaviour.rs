//! What a buyer does after getting seats.

use domain::random::Random;

/// The ways in which people buy tickets, or do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Behaviour {
    /// Pays at once and asks for the order.
    PaysAndConfirms,
    /// Pays at once and leaves the rest to the platform.
    PaysAndLeaves,
    /// Pays, and sends every request twice with the same key.
    RepeatsEverything,
    /// Is declined and gives up.
    IsDeclined,
    /// Is declined, then pays with another card.
    IsDeclinedThenPays,
    /// Walks away from the held seats.
    WalksAway,
    /// Pays after the hold has run out.
    PaysLate,
    /// Pays twice for the same seats.
    PaysTwice,
    /// Changes their mind.
    Cancels,
    /// Pays and cancels at the same moment.
    PaysWhileCancelling,
}

impl Behaviour {
    /// Every behaviour with its share of the crowd in percent.
    pub const SHARES: [(Self, u64); 10] = [
        (Self::PaysAndConfirms, 30),
        (Self::PaysAndLeaves, 24),
        (Self::RepeatsEverything, 8),
        (Self::IsDeclined, 7),
        (Self::IsDeclinedThenPays, 5),
        (Self::WalksAway, 8),
        (Self::PaysLate, 4),
        (Self::PaysTwice, 5),
        (Self::Cancels, 6),
        (Self::PaysWhileCancelling, 3),
    ];

    /// Draws one according to the shares.
    pub fn draw(dice: &mut impl Random) -> Self {
        let mut ticket = dice.below(100);
        for (behaviour, share) in Self::SHARES {
            if ticket < share {
                return behaviour;
            }
            ticket -= share;
        }
        Self::PaysAndLeaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::random::SplitMix64;

    #[test]
    fn the_shares_are_a_whole_crowd_and_each_is_drawn() {
        assert_eq!(Behaviour::SHARES.iter().map(|(_, share)| share).sum::<u64>(), 100);
        let mut dice = SplitMix64::new(1);
        let drawn: std::collections::BTreeSet<_> = (0..1_000).map(|_| Behaviour::draw(&mut dice)).collect();
        assert_eq!(drawn.len(), Behaviour::SHARES.len());
    }
}

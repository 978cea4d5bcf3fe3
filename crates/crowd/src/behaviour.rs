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
    /// Pays when the hold runs out, and asks for the order.
    PaysLate,
    /// Pays twice for the same seats.
    PaysTwice,
    /// Cancels the reservation.
    Cancels,
    /// Pays and cancels at the same moment.
    PaysWhileCancelling,
    /// Pays with a card that is approved after a while.
    PaysSlowly,
    /// Pays with a card that is approved or declined by chance.
    PaysByChance,
    /// Pays with a card that gets no answer until an operator decides the payment.
    PaysIntoSilence,
    /// Lets another person pay.
    LetsAFriendPay,
    /// Sends another request under a key that was used.
    UsesOneKeyTwice,
    /// Pays for a reservation that does not exist.
    PaysForNothing,
    /// Pays with four cards, some of them declined.
    PaysAgainAndAgain,
    /// Sends requests that must be refused.
    AsksForNonsense,
}

impl Behaviour {
    /// Every behaviour. The simulator draws among them, so their order belongs to the meaning of a
    /// seed.
    pub const ALL: [Self; 18] = [
        Self::PaysAndConfirms,
        Self::PaysAndLeaves,
        Self::RepeatsEverything,
        Self::IsDeclined,
        Self::IsDeclinedThenPays,
        Self::WalksAway,
        Self::PaysLate,
        Self::PaysTwice,
        Self::Cancels,
        Self::PaysWhileCancelling,
        Self::PaysSlowly,
        Self::PaysByChance,
        Self::PaysIntoSilence,
        Self::LetsAFriendPay,
        Self::UsesOneKeyTwice,
        Self::PaysForNothing,
        Self::PaysAgainAndAgain,
        Self::AsksForNonsense,
    ];

    /// The behaviours of an ordinary crowd, each with its share in percent. The others need
    /// operators or a mistake.
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

    /// Draws one of all, each as likely as the others.
    pub fn draw_any(dice: &mut impl Random) -> Self {
        Self::ALL[dice.below(Self::ALL.len() as u64) as usize]
    }

    /// Draws one of an ordinary crowd, according to the shares.
    pub fn draw(dice: &mut impl Random) -> Self {
        let mut percent = dice.below(100);
        for (behaviour, share) in Self::SHARES {
            if percent < share {
                return behaviour;
            }
            percent -= share;
        }
        Self::PaysAndLeaves
    }

    /// What it is, as the rest of "buyers who …".
    pub const fn describe(self) -> &'static str {
        match self {
            Self::PaysAndConfirms => "pay and ask for the order",
            Self::PaysAndLeaves => "pay and leave",
            Self::RepeatsEverything => "send everything twice",
            Self::IsDeclined => "are declined",
            Self::IsDeclinedThenPays => "are declined, then pay",
            Self::WalksAway => "walk away",
            Self::PaysLate => "pay too late",
            Self::PaysTwice => "pay twice",
            Self::Cancels => "cancel",
            Self::PaysWhileCancelling => "pay and cancel at once",
            Self::PaysSlowly => "pay slowly",
            Self::PaysByChance => "pay by chance",
            Self::PaysIntoSilence => "pay and get no answer",
            Self::LetsAFriendPay => "let a friend pay",
            Self::UsesOneKeyTwice => "use one key twice",
            Self::PaysForNothing => "pay for nothing",
            Self::PaysAgainAndAgain => "pay again and again",
            Self::AsksForNonsense => "ask for nonsense",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::random::SplitMix64;
    use std::collections::BTreeSet;

    #[test]
    fn the_shares_are_a_whole_crowd_and_each_is_drawn() {
        assert_eq!(Behaviour::SHARES.iter().map(|(_, share)| share).sum::<u64>(), 100);
        let mut dice = SplitMix64::new(1);
        let drawn: BTreeSet<_> = (0..1_000).map(|_| Behaviour::draw(&mut dice)).collect();
        assert_eq!(drawn.len(), Behaviour::SHARES.len());
    }

    #[test]
    fn every_behaviour_is_drawn() {
        let mut dice = SplitMix64::new(1);
        let drawn: BTreeSet<_> = (0..1_000).map(|_| Behaviour::draw_any(&mut dice)).collect();
        assert_eq!(drawn.len(), Behaviour::ALL.len());
    }
}

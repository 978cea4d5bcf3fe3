//! Identifiers: 1 to 128 bytes without control characters, cheap to clone.
//!
//! Each kind of thing has its own type, so a reservation cannot be passed as a show. The rule on
//! length and characters is that of the wire (docs/contracts.md#http-apis). It is checked once,
//! where text becomes an identifier.

use crate::hash::fnv1a;
use core::fmt;
use std::sync::Arc;

/// The longest accepted identifier, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidId {
    /// The text is empty.
    Empty,
    /// The text is longer than [`ID_BYTES_MAX`]; this is its length in bytes.
    TooLong(usize),
    /// The text has a control character.
    ControlCharacter,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "must not be empty"),
            Self::TooLong(len) => write!(f, "is {len} bytes long, at most {ID_BYTES_MAX} are allowed"),
            Self::ControlCharacter => write!(f, "must not contain control characters"),
        }
    }
}

impl std::error::Error for InvalidId {}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(InvalidId::TooLong(text.len()));
    }
    // A fast path: nearly every id is printable ASCII.
    let printable = |byte: u8| (0x20..0x7F).contains(&byte);
    if !text.bytes().all(printable) && text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and makes it an identifier.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text of the identifier, shared with it.
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// A show on sale. On the wire it is called `event_id`.
    ShowId
);
id!(
    /// A section of a show. General admission is a section in which buyers name no seats.
    SectionId
);
id!(
    /// A seat, unique within its show.
    SeatId
);
id!(
    /// A reservation; also the identity of its hold in the inventory.
    ReservationId
);
id!(
    /// An order: what a committed hold becomes. Derived from the reservation, so the same commit
    /// gives the same order.
    OrderId
);
id!(
    /// A person who buys. On the wire it is called `user_id`.
    PersonId
);
id!(
    /// A payment intent at the payment provider.
    PaymentIntentId
);
id!(
    /// An event on the queue. Producers derive the id from the fact, so the same fact has the same
    /// id.
    EventId
);

impl OrderId {
    /// The one order that a reservation can become: `ord_` and the reservation's id without its own
    /// prefix.
    ///
    /// A reservation id from elsewhere keeps its whole text behind `ord-`, so `rsv_a` and `a` have
    /// different orders. If the result is too long, a hash of the reservation id replaces its tail
    /// (FNV-1a, 64 bits).
    pub fn for_reservation(reservation: &ReservationId) -> Self {
        let text = match reservation.as_str().strip_prefix("rsv_") {
            Some(tail) => format!("ord_{tail}"),
            None => format!("ord-{reservation}"),
        };
        if text.len() <= ID_BYTES_MAX {
            return Self(text.into());
        }
        let hash = fnv1a(reservation.as_str().as_bytes());
        let mut head: String = text.chars().take_while(char::is_ascii).take(96).collect();
        head.push('~');
        head.push_str(&format!("{hash:016x}"));
        Self(head.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_128_bytes_without_control_characters() {
        assert_eq!(SeatId::parse(""), Err(InvalidId::Empty));
        assert_eq!(SeatId::parse("a\nb"), Err(InvalidId::ControlCharacter));
        assert_eq!(SeatId::parse(&"x".repeat(129)), Err(InvalidId::TooLong(129)));
        assert!(SeatId::parse(&"x".repeat(128)).is_ok());
        assert!(SeatId::parse("좌석-1").is_ok());
    }

    #[test]
    fn an_order_id_is_a_function_of_the_reservation() {
        let reservation = ReservationId::parse("rsv_abc").expect("valid");
        assert_eq!(OrderId::for_reservation(&reservation).as_str(), "ord_abc");
        let bare = ReservationId::parse("abc").expect("valid");
        assert_ne!(
            OrderId::for_reservation(&bare),
            OrderId::for_reservation(&reservation),
            "another reservation, another order"
        );
        let long = |last: &str| ReservationId::parse(&format!("{}{last}", "x".repeat(127))).expect("valid");
        let order = OrderId::for_reservation(&long("a"));
        assert!(order.as_str().len() <= ID_BYTES_MAX && order != OrderId::for_reservation(&long("b")));
        let wide = ReservationId::parse(&"é".repeat(64)).expect("valid");
        assert!(OrderId::for_reservation(&wide).as_str().len() <= ID_BYTES_MAX);
    }
}

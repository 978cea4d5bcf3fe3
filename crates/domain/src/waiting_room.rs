//! The waiting room: one line of numbers for each show (design part 6).
//!
//! Whoever joins takes the next number. A **watermark** says up to which number people were let in; it only grows, and so
//! does nobody's place get worse while nobody comes back. Who leaves or falls silent is **absent**: counted for each block
//! of numbers, so that a place can be told without looking at the people in front of it.
//!
//! - [`Absences`] counts the absent and tells places.
//! - [`Pace`] measures how fast the line moves and tells how long is left.

mod absences;
mod pace;

pub use absences::{Absences, BLOCK};
pub use pace::Pace;

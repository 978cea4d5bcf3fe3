//! The gateway over its public routes, on the embedded waiting room. What is behind it is walked through in `app`'s tests.

mod identity;
mod limits;
mod line;
mod operator;
mod pages;
mod stage;

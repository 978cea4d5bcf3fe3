//! Who a request is from: JSON Web Tokens (RFC 7519), verified.
//!
//! A token is signed either with a secret that is configured (HS256) or with a key of an identity provider (RS256, ES256),
//! whose public keys come as a JSON Web Key Set (RFC 7517). Which key may verify a token follows from the configuration and
//! from the key, never from the token alone: the secret verifies HS256 and nothing else, a key of the provider the one
//! algorithm of its own kind, and keys that a token carries or points to are not looked at. So a public key cannot be used
//! as a secret, and `none` has no key at all. There is no other way in, in any mode.
//!
//! Nothing of a token is believed before its signature is verified; then its times, issuer, audience and subject are. It may
//! be shown again until it expires, as bearer tokens are: whatever must happen once has an Idempotency-Key.
//!
//! The crate knows no network, no environment and no clock of its own: keys come through a [`KeySource`] and the time through
//! `ports::Clock`. What a token says is never logged.

mod claims;
mod compact;
mod key_set;
mod keys;
mod mint;
mod rejected;
mod signature;
mod verifier;

pub use claims::{LEEWAY, Person};
pub use compact::TOKEN_BYTES_MAX;
pub use key_set::KEY_SET_BYTES_MAX;
pub use keys::{FETCH_EVERY, FETCH_GAP, FETCH_LIMIT, KeySource, KeyState, Refresher, WAITING_MAX};
pub use mint::{Claims, mint};
pub use rejected::Rejected;
pub use signature::{SECRET_BYTES_MIN, Secret, WeakSecret};
pub use verifier::{Options, Verifier};

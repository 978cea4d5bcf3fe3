//! Authenticates the sender of a request by a JSON Web Token (RFC 7519).
//!
//! A token is signed either with a configured secret (HS256) or with a key of an identity provider
//! (RS256, ES256), whose public keys come as a JSON Web Key Set (RFC 7517). The configuration and
//! the key decide which key may verify a token, never the token alone: the secret verifies only
//! HS256, a provider's key only the one algorithm of its kind, and keys that a token carries or
//! points to are ignored. So a public key cannot serve as a secret, and `none` has no key. No mode
//! has another way in.
//!
//! Nothing in a token is trusted before its signature is verified; then its times, issuer, audience
//! and subject are checked. Like every bearer token it may be used again until it expires;
//! operations that must happen once have an Idempotency-Key.
//!
//! The crate knows no network, no environment and no clock of its own: keys come through a
//! [`KeySource`] and the time through `ports::Clock`. The content of a token is never logged.

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

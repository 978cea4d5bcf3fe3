//! The tokens of people.

use runtime::config::Env;
use secrecy::{ExposeSecret, SecretString};

/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 32;
/// Issuer and audience of the tokens that `tacos token` makes, and the default of the settings that
/// require them.
pub const ISSUER: &str = "traffic-tacos";

/// Which tokens of people are accepted.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// Secret of HS256 tokens.
    pub secret: Option<SecretString>,
    /// Required `iss` of tokens.
    pub issuer: String,
    /// Required `aud` of tokens.
    pub audience: String,
}

impl JwtConfig {
    pub(super) fn new(secret: Option<SecretString>) -> Self {
        Self { secret, issuer: ISSUER.to_owned(), audience: ISSUER.to_owned() }
    }

    pub(super) fn from_env(env: &mut Env, has_keys: bool) -> Self {
        let defaults = Self::new(secret(env, has_keys));
        Self {
            secret: defaults.secret,
            issuer: env.or("JWT_ISSUER", "required value of a token's claim `iss`", defaults.issuer),
            audience: env.or(
                "JWT_AUDIENCE",
                "required value, or one of the values, of a token's claim `aud`",
                defaults.audience,
            ),
        }
    }
}

fn secret(env: &mut Env, has_keys: bool) -> Option<SecretString> {
    let name = "JWT_SECRET";
    let doc =
        "secret of HS256 tokens, at least 32 bytes; default: none, only keys of JWT_JWKS_URL verify tokens";
    let given = env.secret(name, doc);
    match &given {
        None if !has_keys => {
            env.problem(name, "is not set, and neither is JWT_JWKS_URL: nobody could sign in")
        }
        Some(secret) if secret.expose_secret().len() < SECRET_BYTES_MIN => {
            env.problem(name, &format!("is too short; it needs at least {SECRET_BYTES_MIN} bytes"));
        }
        _ => {}
    }
    given
}

//! `tacos token`: a signed token of a person, for local use.

use super::{DATA, Exit, Failure, duration, output};
use clap::Args;
use hmac::{Hmac, Mac};
use ports::{Clock, Entropy};
use serde_json::json;
use sha2::Sha256;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The issuer and the audience that a local gateway checks.
const ISSUER: &str = "traffic-tacos";
const SECRET_FILE: &str = "jwt-secret";

/// `tacos token`.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The person: the claim `sub`.
    #[arg(long, value_name = "USER")]
    sub: String,
    /// How long it is valid.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    ttl: Duration,
    /// The data folder whose secret signs, unless JWT_SECRET is set.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// The secret, at least 32 bytes.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, hide = true)]
    secret: Option<String>,
}

pub(super) fn run(args: TokenArgs) -> Result<Exit, Failure> {
    if let Err(error) = domain::id::PersonId::parse(&args.sub) {
        return Err(Failure::usage(format!("--sub {error}")));
    }
    let secret = match args.secret {
        Some(secret) if secret.len() < 32 => {
            return Err(Failure::configuration(format!(
                "JWT_SECRET is {} bytes long, HS256 needs at least 32",
                secret.len()
            )));
        }
        Some(secret) => secret,
        None => secret_of(&args.data).map_err(|error| Failure::service("keep the signing secret", error))?,
    };
    let now = runtime::SystemClock::new().now().as_millis() / 1_000;
    output::print(sign(&secret, &args.sub, now, args.ttl));
    Ok(Exit::Done)
}

/// The secret of a data folder, made at first use and readable by its owner only.
pub(super) fn secret_of(data: &Path) -> anyhow::Result<String> {
    use anyhow::Context;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join(SECRET_FILE);
    match fs::read_to_string(&path) {
        Ok(secret) if secret.len() >= 32 => return Ok(secret),
        Ok(_) => anyhow::bail!("{} is damaged; remove it to get a new one", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    }
    fs::create_dir_all(data).with_context(|| format!("make {}", data.display()))?;
    let entropy = runtime::SystemEntropy::new();
    let secret: String = (0..4).map(|_| format!("{:016x}", entropy.next_u64())).collect();
    // A half written file must never pass for a secret: it gets its name when it is whole.
    let draft = data.join(format!("{SECRET_FILE}.{:x}", entropy.next_u64()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    match fs::hard_link(&draft, &path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("write {}", path.display())),
    }
    fs::remove_file(&draft)?;
    fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// A JWT (RFC 7519) of a person.
fn sign(secret: &str, subject: &str, now_s: u64, ttl: Duration) -> String {
    let claims = json!({
        "sub": subject, "iss": ISSUER, "aud": ISSUER, "iat": now_s, "exp": now_s.saturating_add(ttl.as_secs()),
    });
    compact(secret, &claims.to_string())
}

/// The compact serialisation of claims, signed with HS256 (RFC 7515).
fn compact(secret: &str, claims: &str) -> String {
    let signed = format!("{}.{}", base64url(br#"{"alg":"HS256","typ":"JWT"}"#), base64url(claims.as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", base64url(&mac.finalize().into_bytes()))
}

/// Base64 with the URL alphabet and no padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_as_other_libraries_sign_it() {
        // The example that jwt.io opens with.
        let token =
            compact("your-256-bit-secret", r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#);
        assert_eq!(
            token,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.\
             SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        );
    }

    #[test]
    fn the_secret_of_a_folder_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = secret_of(folder.path()).expect("a secret");
        assert_eq!(first.len(), 64);
        assert_eq!(secret_of(folder.path()).expect("the same"), first);
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 1, "no draft is left");
    }
}

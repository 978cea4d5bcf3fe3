//! `tacos token`: makes a signed token for a person, for local use.

use super::{DATA, duration};
use crate::exit::{Exit, Failure};
use crate::output;
use clap::Args;
use domain::id::PersonId;
use identity::{Claims, SECRET_BYTES_MIN, Secret, mint};
use ports::{Clock, Entropy};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SECRET_FILE: &str = "jwt-secret";
const ROOM_SECRET_FILE: &str = "waiting-room-secret";

/// `tacos token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The person: the claim `sub`.
    #[arg(long, value_name = "USER")]
    sub: String,
    /// How long the token is valid, for example 1h or 30m.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    ttl: Duration,
    /// Data folder with the signing secret, unless JWT_SECRET is set.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// The signing secret, at least 32 bytes.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, hide = true)]
    secret: Option<String>,
}

pub(crate) fn run(args: TokenArgs) -> Result<Exit, Failure> {
    let person = PersonId::parse(&args.sub).map_err(|error| Failure::usage(format!("--sub {error}")))?;
    let secret = match args.secret {
        Some(secret) => secret,
        None => secret_of(&args.data)
            .map_err(|error| Failure::service("read or create the signing secret", error))?,
    };
    let secret = Secret::new(secret).map_err(|weak| Failure::configuration(format!("JWT_SECRET {weak}")))?;
    let now = runtime::SystemClock::new().now();
    let claims = Claims::new(person, gateway::ISSUER, now, args.ttl);
    output::print(mint(&secret, &claims));
    Ok(Exit::Done)
}

/// The secret of a data folder that signs tokens. It is created at the first use and readable by
/// its owner only.
pub(crate) fn secret_of(data: &Path) -> anyhow::Result<String> {
    kept(data, SECRET_FILE)
}

/// The secret of a data folder that signs tickets and passes of the waiting room.
pub(crate) fn room_secret_of(data: &Path) -> anyhow::Result<String> {
    kept(data, ROOM_SECRET_FILE)
}

fn kept(data: &Path, name: &str) -> anyhow::Result<String> {
    use anyhow::Context;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join(name);
    match fs::read_to_string(&path) {
        Ok(secret) if secret.len() >= SECRET_BYTES_MIN => return Ok(secret),
        Ok(_) => anyhow::bail!(
            "{} is damaged; delete it and run the command again to create a new one",
            path.display()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    }
    fs::create_dir_all(data).with_context(|| format!("make {}", data.display()))?;
    let entropy = runtime::SystemEntropy::new();
    let secret: String = (0..4).map(|_| format!("{:016x}", entropy.next_u64())).collect();
    // A half-written file must never be read as a secret, so the draft is named only when complete.
    let draft = data.join(format!("{name}.{:x}", entropy.next_u64()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_folder_is_made_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = secret_of(folder.path()).expect("a secret");
        assert_eq!(first.len(), 64);
        assert_eq!(secret_of(folder.path()).expect("the same"), first);
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 1, "no draft is left");
    }
}

//! What an error of Redis means.

use ports::{Fault, FaultClass};
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// The class of an error. Whether the command was carried out is not known where nobody answered.
pub(crate) fn fault(what: &str, error: RedisError) -> Fault {
    Fault::new(class(&error), format!("redis: {what}")).because(error)
}

fn class(error: &RedisError) -> FaultClass {
    use ServerErrorKind as Server;
    match error.kind() {
        ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => FaultClass::Unavailable,
        ErrorKind::Server(
            Server::BusyLoading
            | Server::TryAgain
            | Server::ClusterDown
            | Server::MasterDown
            | Server::ReadOnly,
        ) => FaultClass::Unavailable,
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::Server(Server::NoPerm) => FaultClass::Permanent,
        // Out of memory, and a script of somebody else that does not end.
        ErrorKind::Extension if matches!(error.code(), Some("OOM" | "BUSY")) => FaultClass::Unavailable,
        ErrorKind::Extension if matches!(error.code(), Some("NOAUTH" | "WRONGTYPE")) => FaultClass::Permanent,
        // What it says to a long command of who has not given the password.
        _ if error.detail().is_some_and(|told| told.contains("unauthenticated")) => FaultClass::Permanent,
        _ => FaultClass::Transient,
    }
}

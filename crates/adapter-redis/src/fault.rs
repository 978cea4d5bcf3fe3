//! What an error of Redis means.

use ports::{Fault, FaultClass};
use redis::{ErrorKind, RedisError, ServerErrorKind as Server};

/// The class of an error. Without an answer it is unknown whether the command was carried out.
pub(crate) fn fault(what: &str, error: RedisError) -> Fault {
    Fault::new(class(&error), format!("redis: {what}")).because(error)
}

fn class(error: &RedisError) -> FaultClass {
    match error.kind() {
        // A certificate that is not trusted here, or of another host.
        _ if error.to_string().contains("invalid peer certificate") => FaultClass::Permanent,
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
        // Out of memory, another script that does not end, or a server that may not write just now.
        ErrorKind::Extension
            if matches!(error.code(), Some("OOM" | "BUSY" | "NOREPLICAS" | "MISCONF" | "UNKILLABLE")) =>
        {
            FaultClass::Unavailable
        }
        ErrorKind::Extension if matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "WRONGTYPE")) => {
            FaultClass::Permanent
        }
        // The server's answer to a long command from a client without the password.
        _ if error.detail().is_some_and(|detail| detail.contains("unauthenticated")) => FaultClass::Permanent,
        _ if is_reported_by_a_script(error, "READONLY") => FaultClass::Unavailable,
        _ => FaultClass::Transient,
    }
}

/// Whether a new connection may lead to a server that does what this one refuses: this one was
/// demoted, has no replica or no data (yet), or no longer knows our password.
pub(crate) fn leads_elsewhere(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(Server::ReadOnly | Server::MasterDown | Server::BusyLoading) => true,
        ErrorKind::Extension => matches!(error.code(), Some("NOREPLICAS" | "NOAUTH" | "WRONGPASS")),
        _ => is_reported_by_a_script(error, "READONLY"),
    }
}

/// Before version 7 the error of a command in a script is part of another error's text.
fn is_reported_by_a_script(error: &RedisError, code: &str) -> bool {
    error.detail().is_some_and(|detail| detail.contains(&format!("-{code} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    /// In the form of servers from version 6 on.
    #[test]
    fn a_server_that_another_may_replace_is_left() {
        use FaultClass::{Permanent, Transient, Unavailable};
        for (line, elsewhere, is) in [
            ("READONLY You can't write against a read only replica.", true, Unavailable),
            (
                "READONLY You can't write against a read only replica. script: f1, on line 1.",
                true,
                Unavailable,
            ),
            (
                "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write",
                true,
                Unavailable,
            ),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                true,
                Unavailable,
            ),
            ("LOADING Redis is loading the dataset in memory", true, Unavailable),
            ("NOREPLICAS Not enough good replicas to write.", true, Unavailable),
            ("NOAUTH Authentication required.", true, Permanent),
            ("WRONGPASS invalid username-password pair or user is disabled.", true, Permanent),
            ("MISCONF Redis is configured to save RDB snapshots", false, Unavailable),
            ("OOM command not allowed when used memory > 'maxmemory'.", false, Unavailable),
            ("BUSY Redis is busy running a script.", false, Unavailable),
            ("CLUSTERDOWN The cluster is down", false, Unavailable),
            ("NOPERM this user has no permissions to run the 'evalsha' command", false, Permanent),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", false, Permanent),
            ("NOSCRIPT No matching script. Please use EVAL.", false, Transient),
            ("ERR the line knows no command", false, Transient),
        ] {
            let error = error_of(line);
            assert_eq!((leads_elsewhere(&error), class(&error)), (elsewhere, is), "{line}");
        }
    }
}

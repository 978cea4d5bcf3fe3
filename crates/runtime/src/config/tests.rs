//! The report that a person gets for wrong settings.

use super::*;
use secrecy::ExposeSecret;
use std::net::SocketAddr;

#[test]
fn three_mistakes_are_told_together_each_with_what_would_be_right() {
    let mut env =
        Env::from_pairs([("SQS_WAIT_TIME", "abc"), ("SHUTDOWN_TIMEOUT", "30"), ("LOG_LEVEL", "loud")]);
    assert_eq!(env.or("SQS_WAIT_TIME", "seconds to wait", 20_u16), 20);
    assert_eq!(
        env.duration_or("SHUTDOWN_TIMEOUT", "limit of the shutdown", Duration::from_secs(30)),
        Duration::from_secs(30)
    );
    assert_eq!(env.one_of("LOG_LEVEL", "least level", &[("info", 1), ("debug", 2)], "info"), 1);
    let _: Option<String> = env.required("SQS_QUEUE_URL", "the URL of the queue");
    let text = env.finish().unwrap_err().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "SQS_WAIT_TIME is \"abc\", which is not a whole number from 0 to 65535",
            "SHUTDOWN_TIMEOUT is \"30\", which is not a length of time such as 500ms, 30s, 2m or 1h",
            "LOG_LEVEL is \"loud\", which is not one of info, debug",
            "SQS_QUEUE_URL is not set; set it to the URL of the queue",
        ]
    );
}

#[test]
fn a_secret_is_never_told() {
    let mut env = Env::from_pairs([("TOKEN", "hunter2hunter2"), ("KEY", "hunter2")]);
    let token = env.secret("TOKEN", "the token").unwrap();
    assert_eq!(token.expose_secret(), "hunter2hunter2");
    assert!(env.secret_required("KEY", "the signing key", 32).is_none());
    assert!(env.secret_required("OTHER", "the other key", 32).is_none());
    let read = format!("{token:?} {env:?} {:?}", env.described());
    let shown = format!("{read} {}", env.finish().unwrap_err());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("KEY is too short; set it to the signing key, at least 32 bytes"), "{shown}");
}

#[test]
fn a_variable_set_to_nothing_is_not_set() {
    let mut env = Env::from_pairs([("A", ""), ("B", "  ")]);
    assert_eq!(env.or("A", "a", 7_u8), 7);
    assert_eq!(env.optional::<u8>("B", "b"), None);
    assert!(env.secret("A", "a").is_none());
    assert!(env.finish().is_ok());
}

#[test]
fn values_out_of_range_are_told_with_the_range() {
    let mut env = Env::from_pairs([("WAIT", "21"), ("RATE", "5")]);
    assert_eq!(env.in_range("WAIT", "a wait", 20_u32, 0..=20), 20);
    assert_eq!(env.in_range("RATE", "a rate", 1_u32, 1..=9), 5);
    assert_eq!(env.finish().unwrap_err().to_string(), "WAIT is \"21\", which is not a value from 0 to 20");
}

#[test]
fn flags_and_addresses_are_read_as_people_write_them() {
    let mut env = Env::from_pairs([("F", "Yes"), ("ADDR", "localhost"), ("PEER", "nowhere")]);
    assert!(env.flag("F", "a flag", false));
    let fallback: SocketAddr = ([127, 0, 0, 1], 8042).into();
    assert_eq!(env.or("ADDR", "an address", fallback), fallback);
    assert!(env.optional::<Endpoint>("PEER", "a peer").is_none());
    let text = env.finish().unwrap_err().to_string();
    assert!(text.contains("ADDR is \"localhost\", which is not an address such as 127.0.0.1:8040"), "{text}");
    assert!(text.contains("PEER is \"nowhere\", which is not usable: an address such as"), "{text}");
}

#[test]
fn a_value_that_is_not_text_is_told_once() {
    let mut env = Env::default();
    env.values.insert("PATH_X".into(), Value::NotUtf8);
    assert!(env.required::<String>("PATH_X", "a folder").is_none());
    assert_eq!(env.finish().unwrap_err().to_string(), "PATH_X is not UTF-8 text");
}

#[test]
fn every_variable_that_is_read_is_described() {
    let mut env = Env::from_pairs::<String, String>([]);
    env.or("WORKER_CONCURRENCY", "handlers in flight", 20_u32);
    env.duration_or("SHUTDOWN_TIMEOUT", "limit of the shutdown", Duration::from_secs(30));
    env.or("NAME", "the name", "reservation-worker".to_owned());
    let _ = env.required::<String>("SQS_QUEUE_URL", "the URL of the queue");
    let told: Vec<_> = env.described().iter().map(|d| (&*d.name, d.default.as_deref(), &*d.doc)).collect();
    assert_eq!(
        told,
        [
            ("WORKER_CONCURRENCY", Some("20"), "handlers in flight"),
            ("SHUTDOWN_TIMEOUT", Some("30s"), "limit of the shutdown"),
            ("NAME", Some("reservation-worker"), "the name"),
            ("SQS_QUEUE_URL", None, "the URL of the queue"),
        ]
    );
}

#[test]
fn secrets_are_separated_by_commas() {
    let read = |value: &str| {
        let mut env = Env::from_pairs([("SECRETS", value)]);
        let secrets = env.secrets("SECRETS", "some secrets", 4);
        let texts: Vec<_> = secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect();
        (texts, env.finish().is_ok())
    };
    assert_eq!(read("new-1, old-1"), (vec!["new-1".to_owned(), "old-1".to_owned()], true));
    assert_eq!(read(""), (Vec::new(), true), "not set");
    assert_eq!(read("new-1,old"), (Vec::new(), false), "one is too short");
    let mut env = Env::from_pairs([("OTHER", "")]);
    assert!(env.secrets_required("SECRETS", "a secret", 4).is_none());
    assert!(env.finish().is_err());
}

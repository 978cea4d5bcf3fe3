//! The text of a line.

use super::*;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: Format, level: Level, body: impl FnOnce()) -> Vec<String> {
    let captured = Captured::default();
    let pod_name = Some("worker-7".to_owned());
    let options = Options { level, format, output: Output::Stderr, pod_name };
    with_sink(&options, captured.clone(), body);
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_line_is_one_flat_json_object_with_the_members_of_the_contract() {
    let lines = logged(Format::Json, Level::INFO, || {
        tracing::info!(
            event_type = "expired",
            reservation_id = %"rsv_1",
            duration_ms = 12.5,
            attempt = 2_u32,
            outcome = "success",
            r#type = "x",
            "an event\nwas \"handled\""
        );
    });
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(line["level"], "info");
    assert_eq!(line["msg"], "an event\nwas \"handled\"");
    assert_eq!(line["event_type"], "expired");
    assert_eq!(line["reservation_id"], "rsv_1");
    assert_eq!(line["duration_ms"], 12.5);
    assert_eq!(line["attempt"], 2);
    assert_eq!(line["type"], "x");
    assert_eq!(line["pod_name"], "worker-7");
    let ts = line["ts"].as_str().unwrap();
    assert_eq!((ts.len(), &ts[10..11], &ts[19..20], &ts[23..]), (24, "T", ".", "Z"), "{ts}");
    assert!(ts.parse::<jiff::Timestamp>().is_ok());
    assert!(line.as_object().unwrap().values().all(|value| !value.is_object()));
}

#[test]
fn the_fields_of_spans_are_told_flat_and_the_nearest_wins() {
    let lines = logged(Format::Json, Level::INFO, || {
        let outer = tracing::info_span!(
            "outer",
            reservation_id = "far",
            trace_id = "t1",
            late = tracing::field::Empty
        );
        let _outer = outer.enter();
        outer.record("late", 7);
        let _inner = tracing::info_span!("inner", reservation_id = "near").entered();
        tracing::warn!(outcome = "retried", "once");
    });
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["reservation_id"], "near");
    assert_eq!(line["trace_id"], "t1");
    assert_eq!(line["late"], 7);
    assert_eq!(lines[0].matches("reservation_id").count(), 1);
}

#[test]
fn an_error_is_told_with_every_error_below_it() {
    let fault = ports::Fault::transient("cannot commit").because(io::Error::other("disk full"));
    let lines = logged(Format::Json, Level::INFO, || {
        tracing::error!(error = &fault as &dyn std::error::Error, ratio = f64::NAN, level = 3, "refused");
    });
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["error"], "cannot commit: disk full");
    assert_eq!(line["ratio"], "NaN");
    assert_eq!((&line["level"], &line["field_level"]), (&"error".into(), &3.into()));
}

#[test]
fn less_important_levels_and_the_inside_of_libraries_are_not_told() {
    let lines = logged(Format::Json, Level::DEBUG, || {
        tracing::trace!("ours, too fine");
        tracing::debug!("ours");
        tracing::debug!(target: "h2::proto", "theirs");
        tracing::info!(target: "fjall", "theirs too");
        tracing::warn!(target: "fjall", "theirs, and it matters");
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_secret_in_a_field_prints_no_secret() {
    let secret = secrecy::SecretString::from("hunter2");
    let lines = logged(Format::Json, Level::INFO, || tracing::info!(?secret, "started"));
    assert!(!lines[0].contains("hunter2"), "{}", lines[0]);
}

#[test]
fn a_person_reads_time_level_message_and_fields_on_one_line() {
    let lines = logged(Format::Human { colour: false }, Level::INFO, || {
        tracing::info!(port = 8000, folder = "a folder", "listening");
    });
    assert!(lines[0].ends_with(" info  runtime: listening port=8000 folder=\"a folder\""), "{}", lines[0]);
    assert!(!lines[0].contains('\u{1b}'));
    let coloured = logged(Format::Human { colour: true }, Level::INFO, || tracing::error!("bad"));
    assert!(coloured[0].contains("\u{1b}[31merror\u{1b}[0m"), "{}", coloured[0]);
}

#[test]
fn the_level_comes_from_log_level_and_a_wrong_one_is_a_problem() {
    let mut env = Env::from_pairs([("LOG_LEVEL", "DEBUG"), ("HOSTNAME", "pod-1")]);
    let options = Options::from_env(&mut env);
    assert_eq!((options.level, options.pod_name.as_deref()), (Level::DEBUG, Some("pod-1")));
    let mut env = Env::from_pairs([("LOG_LEVEL", "loud")]);
    let _ = Options::from_env(&mut env);
    let text = env.finish().unwrap_err().to_string();
    assert_eq!(text, "LOG_LEVEL is \"loud\", which is not one of debug, info, warn, error, trace");
}

//! What the simulator prints of a violation is enough to see it again: the command replays the
//! world that it has made small.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the simulator starts")
}

/// Finds a planted bug, then runs the command that was printed.
fn is_replayed(found_with: &[&str], invariant: &str) -> String {
    let found = sim(found_with);
    let stderr = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status.code(), Some(1), "{stderr}");
    let command = stderr.lines().find_map(|line| line.strip_prefix("replay: ")).expect("a command");
    let arguments = command.split_once(" -- ").expect("arguments").1;
    let replayed = sim(&arguments.split(' ').collect::<Vec<_>>());
    let text = String::from_utf8_lossy(&replayed.stderr);
    assert_eq!(replayed.status.code(), Some(1), "{command}: {text}");
    assert!(text.contains(&format!(": {invariant}: ")), "{command}: {text}");
    command.to_owned()
}

#[test]
fn the_printed_command_replays_a_world_that_was_made_small() {
    let command = is_replayed(&["--plant", "late_money_kept", "--seeds", "0..20"], "Q1");
    assert!(command.contains("--features plants -- --seed "), "{command}");
    assert!(
        command.contains("--buyers ") || command.contains("--without "),
        "nothing was left out: {command}"
    );
}

#[test]
fn a_narrow_world_of_a_few_faults_is_replayed_as_one() {
    let faults = "queue_slow,receive_late,peer_failing,lease_lost";
    let found_with = ["--plant", "comes_again_alone", "--narrow", "--only", faults, "--seeds", "200..400"];
    let command = is_replayed(&found_with, "Q3");
    assert!(command.contains(" --narrow --only "), "{command}");
}

//! What the simulator has found in the production code, each by its name, with a seed that finds it
//! when it is put back.
//!
//! The bugs are mended, and each can be planted again. A test runs its seed twice: with the bug,
//! which must be found, and without, which must be clean. A change of the simulator may give the
//! seeds other runs; then `cargo run --release -p sim --features plants -- --plant NAME --seeds
//! 0..20000 --no-shrink` names others. docs/found-by-simulation.md tells the stories.

use ports::plant::{Plant, plant};
use sim::find::world;
use sim::run::run;
use sim::trace::Trace;

fn is_found_and_mended(bug: Plant, seed: u64, invariant: &str) {
    plant(Some(bug));
    let with = run(world(bug, seed), Trace::off());
    plant(None);
    let without = run(world(bug, seed), Trace::off());
    let found = with.violation.map(|violation| violation.invariant);
    assert_eq!(found.as_deref(), Some(invariant), "{} at seed {seed}", bug.name());
    assert_eq!(without.violation, None, "seed {seed} without {}", bug.name());
}

#[test]
fn a_late_payment_is_refused_only_while_nobody_takes_the_seats_again() {
    is_found_and_mended(Plant::RefusalAlone, 118, "X1");
}

#[test]
fn seats_are_committed_for_who_reserved_and_not_for_who_pays() {
    is_found_and_mended(Plant::PayerHolds, 2, "X1");
}

#[test]
fn the_late_answer_of_an_earlier_receive_replaces_no_newer_receipt() {
    is_found_and_mended(Plant::LateAnswerWins, 236, "Q4");
}

#[test]
fn a_reservation_confirmed_between_release_and_end_is_no_contradiction() {
    is_found_and_mended(Plant::ConfirmedMeanwhile, 107, "X1");
}

#[test]
fn a_poll_that_waits_as_long_as_its_lease_does_not_stop_the_worker() {
    is_found_and_mended(Plant::WaitOutlivesLease, 1, "L1");
}

#[test]
fn nothing_overtakes_a_message_that_came_again_while_it_was_going_back() {
    is_found_and_mended(Plant::ComesAgainAlone, 67, "Q3");
}

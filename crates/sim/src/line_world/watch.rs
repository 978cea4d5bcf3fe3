//! The answers that people get, and whether they are right.

use super::gateways::Reply;
use super::oracle::Poll;
use super::room::{ROOM_SECRET, Room, seconds};
use super::storage::{StoredLine, Ticks};
use contracts::pass;
use contracts::rest::gateway::{Entered, QueueStatus, Status};
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{NO_TURNS_FOR, Standing};
use ports::Clock;
use std::sync::Arc;

/// The longest that a gateway takes to answer, whatever the store does. Entering may wait for the
/// pass.
const ANSWER_MAX: u64 = 2_600_000;
/// People enter again within this time after the last fault: 5 s, and the time of one look.
const RESUME_MAX: u64 = 5_300_000;
/// A person whose pass is further away must come again.
const HELD_BACK_MAX: Duration = Duration::from_secs(2);
/// By how many seconds an answer may overstate the rest of a turn.
const ANSWERED_LONG_MAX: u64 = 2;

/// What a request is about.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Join,
    Status {
        show: ShowId,
        number: u64,
    },
    Enter {
        show: ShowId,
        number: u64,
        person: String,
    },
    Leave {
        show: ShowId,
        number: u64,
    },
    /// With a forged ticket.
    Forged,
    Other,
}

/// The last answer to a person at one gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    position: u64,
    micros: u64,
    /// The newest state that the gateway knew then.
    knows: u64,
    news_at: u64,
}

/// A request has reached a gateway.
pub(super) fn asks(world: &Arc<Room>, asked: &Asked) {
    let mut stored_lines = world.stored_lines();
    match asked {
        Asked::Enter { show, number, .. } => {
            if let Some(stored) = stored_lines.get_mut(show) {
                stored.oracle.passes.wish(*number);
                stored.oracle.gone.insert(*number);
            }
        }
        Asked::Leave { show, number } => {
            if let Some(stored) = stored_lines.get_mut(show) {
                stored.oracle.gone.insert(*number);
            }
        }
        _ => {}
    }
}

/// A gateway has answered.
pub(super) fn answered(world: &Arc<Room>, gateway: u32, asked: &Asked, started: u64, reply: &Reply) {
    world.record(|| format!("gateway {gateway} answers {asked:?}: {} {}", reply.status, reply.body));
    if reply.status == 500 {
        world.violated("panic", format!("{asked:?} is answered {reply:?}"));
    }
    let took = world.micros() - started;
    if took > ANSWER_MAX && !matches!(asked, Asked::Enter { .. }) {
        world.violated("late", format!("{asked:?} at gateway {gateway} took {:.3} s", seconds(took)));
    }
    let mut stored_lines = world.stored_lines();
    match asked {
        Asked::Status { show, number } if reply.status == 200 => {
            let (Some(stored), Ok(status)) = (stored_lines.get_mut(show), Status::deserialize_from(reply))
            else {
                return;
            };
            status_answered(world, stored, gateway, *number, &status);
        }
        Asked::Enter { show, number, person } => {
            if let Some(stored) = stored_lines.get_mut(show) {
                entered(world, stored, *number, person, started, reply);
            }
        }
        Asked::Forged if reply.status < 400 => {
            drop(stored_lines);
            return world.violated("forged", format!("a ticket that is none is answered {reply:?}"));
        }
        _ => {}
    }
    let found: Vec<_> = stored_lines.values_mut().flat_map(|stored| stored.oracle.found()).collect();
    drop(stored_lines);
    for (invariant, text) in found {
        world.violated(invariant, text);
    }
}

trait FromReply: Sized {
    fn deserialize_from(reply: &Reply) -> Result<Self, serde_json::Error>;
}

impl<T: serde::de::DeserializeOwned> FromReply for T {
    fn deserialize_from(reply: &Reply) -> Result<Self, serde_json::Error> {
        serde_json::from_value(reply.body.clone())
    }
}

fn status_answered(world: &Room, stored: &mut StoredLine, gateway: u32, number: u64, status: &Status) {
    let micros = world.micros();
    match status.status {
        QueueStatus::Waiting => {
            let since = stored.oracle.polls.get(&number).filter(|poll| poll.at + 8_000_000 > micros);
            let since = since.map_or(micros, |poll| poll.since);
            stored.oracle.polls.insert(number, Poll { gateway, since, at: micros });
            position_answered(stored, gateway, number, status.position, micros);
        }
        QueueStatus::Ready => {
            // A ready person has no position any more.
            rest_answered(world, stored, gateway, number, status);
        }
        QueueStatus::Expired | QueueStatus::Left => {
            stored.oracle.gone.insert(number);
        }
    }
    let ready = status.status == QueueStatus::Ready;
    let fits =
        ready == status.ready_for_entry && (status.status == QueueStatus::Waiting) == (status.position > 0);
    stored.oracle.check("status", fits, || format!("{status:?}"));
}

/// A position does not get worse at one gateway, unless somebody ahead returned or the store lost
/// something.
fn position_answered(stored: &mut StoredLine, gateway: u32, number: u64, position: u64, micros: u64) {
    let Ticks { before: knows, news_at, .. } = stored.ticks.get(&gateway).copied().unwrap_or_default();
    let answered = Answered { position, micros, knows, news_at };
    let Some(before) = stored.answers.insert((number, gateway), answered) else { return };
    let since = before.knows;
    let hold = NO_TURNS_FOR.as_micros() as u64 + 500_000;
    let is_unsure = since == 0
        || stored.oracle.losses.iter().any(|at| *at >= since)
        || (!stored.oracle.losses.is_empty() && since < before.news_at + hold);
    let is_pushed = stored.oracle.returns.iter().any(|(at, who)| *at >= since && *who < number);
    let holds = position <= before.position || is_unsure || is_pushed;
    stored.oracle.check("position", holds, || {
        format!(
            "gateway {gateway} tells {number} place {position}, and {} at {:.3} s; nobody came back",
            before.position,
            seconds(before.micros)
        )
    });
}

/// No answer says that a turn or a pass lasts longer than it does.
fn rest_answered(world: &Room, stored: &mut StoredLine, gateway: u32, number: u64, status: &Status) {
    let Ticks { before: knows, .. } = stored.ticks.get(&gateway).copied().unwrap_or_default();
    let patience = world.patience;
    let until = stored.oracle.known.people.get(&number).and_then(|seen| match seen.booked {
        Some(at) => Some(at.plus(patience.pass_for)),
        None => seen.ready.map(|since| since.plus(patience.ready_for)),
    });
    let is_unsure = stored.lost.is_some() || stored.oracle.losses.iter().any(|at| *at >= knows);
    let (Some(until), Some(left), false) = (until, status.ready_for_sec, is_unsure) else { return };
    // A gateway keeps answering with a pass that the store has lost.
    let pass = stored.oracle.passes.newest(number).map(|at| at.plus(patience.pass_for));
    let rest = pass.map_or(until, |pass| pass.max(until)).since(world.clock.now());
    stored.oracle.check("rest", left <= rest.as_secs() + ANSWERED_LONG_MAX, || {
        format!("{number} hears of {left} s, and has {rest:?}")
    });
}

fn entered(world: &Room, stored: &mut StoredLine, number: u64, person: &str, started: u64, reply: &Reply) {
    let last = stored.oracle.passes.let_in_since(number, started);
    if let (403 | 410, Some(last)) = (reply.status, last)
        && let Standing::Entered { at, until } = last.standing
    {
        let is_early = reply.status == 403 && at.since(last.now) >= HELD_BACK_MAX;
        stored.oracle.check("ready", last.now >= until || is_early, || {
            format!("{number} is let in by the store ({last:?}) and answered {reply:?}")
        });
    }
    if reply.status != 200 {
        return;
    }
    let Ok(given) = Entered::deserialize_from(reply) else {
        return world.violated("pass", format!("{reply:?}"));
    };
    let read = pass::verify(&[ROOM_SECRET.as_bytes()], &given.reservation_token, Timestamp::EPOCH);
    let Ok(read) = read else { return stored.oracle.check("W4", false, || format!("no pass: {given:?}")) };
    let is_theirs = *read.id == *number.to_string()
        && read.show == *stored.oracle.show()
        && read.person.as_str() == person;
    stored.oracle.check("W4", is_theirs, || format!("{person} with {number} gets {read:?}"));
    let at = read.expires_at.as_millis() - world.patience.pass_for.as_millis() as u64;
    let now = world.clock.now();
    let is_unsure = stored.lost.is_some() || stored.oracle.losses.iter().any(|lost| *lost >= started);
    stored.oracle.check("W2", is_unsure || now.as_millis() >= at, || {
        format!("{number} has a pass at {now:?} that may be given from {at} ms on")
    });
    let two = stored.oracle.passes.handed_out(number, person, &given.reservation_token);
    stored.oracle.check("W4", two.is_none(), || two.unwrap_or_default());
}

/// Every quarter of a second: people enter within 5 s after the last fault, if anybody is there to
/// enter.
pub(super) fn look(world: &Room) {
    let now = world.micros();
    let gateways = super::gateways::there(world);
    let mut found = Vec::new();
    for stored in world.stored_lines().values_mut() {
        let lost_at = stored.oracle.losses.last().copied().unwrap_or_default();
        let trouble = [lost_at, stored.oracle.ruled_at, stored.oracle.behind_until];
        let calm_from = trouble.into_iter().fold(world.trouble_at(), u64::max);
        let oracle = &stored.oracle;
        let known = &oracle.known;
        let is_full =
            known.totals.ready >= u64::from(oracle.rules.rate) * world.patience.ready_for.as_secs().max(1);
        let owes = oracle.owed_at > 0 && oracle.owed_at + 40_000_000 > now;
        if calm_from + RESUME_MAX > now || oracle.rules.paused || is_full || owes {
            continue;
        }
        // They have polled all the while, at a running gateway, and it is not their turn.
        let waits = oracle.polls.iter().find(|(number, poll)| {
            let seen = known.people.get(number);
            gateways.contains(&poll.gateway)
                && poll.since + RESUME_MAX <= now
                && poll.at + 7_000_000 > now
                && !oracle.gone.contains(number)
                && seen.is_none_or(|seen| seen.ready.is_none() && seen.booked.is_none())
        });
        let waits = waits.map(|(number, _)| *number);
        let turn_at = oracle.turn_at;
        let holds = waits.is_none() || turn_at + RESUME_MAX > now;
        stored.oracle.check("resume", holds, || {
            format!(
                "nobody has got a turn since {:.3} s, nothing has gone wrong since {:.3} s, and {waits:?} waits",
                seconds(turn_at),
                seconds(calm_from)
            )
        });
        found.extend(stored.oracle.found());
    }
    for (invariant, text) in found {
        world.violated(invariant, text);
    }
}

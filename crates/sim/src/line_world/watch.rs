//! What people are told, and whether it is right.

use super::gates::Reply;
use super::judge::Poll;
use super::store::{Shelf, Ticks};
use super::world::{ROOM_SECRET, World, seconds};
use contracts::pass;
use contracts::rest::gateway::{Entered, QueueStatus, Status};
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{HOLD, Standing};
use ports::Clock;
use std::sync::Arc;

/// The longest that a gateway takes to answer, whatever the store does. Who enters may have to wait for their pass.
const ANSWER_MAX: u64 = 2_600_000;
/// Entry goes on within so long after the last trouble: 5 s, and the time of one look.
const RESUME_MAX: u64 = 5_300_000;
/// Whose pass is further away is told to come again.
const HELD_BACK_MAX: Duration = Duration::from_secs(2);
/// By how many seconds the rest of a turn may be told too long.
const TOLD_LONG_MAX: u64 = 2;

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
    /// With a ticket that is none.
    Forged,
    Other,
}

/// What somebody was told at one gateway.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    position: u64,
    micros: u64,
    /// What was so then is known to the gateway.
    knows: u64,
    news_at: u64,
}

/// A request has come to a gateway.
pub(super) fn asks(world: &Arc<World>, asked: &Asked) {
    let mut shelves = world.shelves();
    match asked {
        Asked::Enter { show, number, .. } => {
            if let Some(shelf) = shelves.get_mut(show) {
                shelf.judge.passes.wish(*number);
                shelf.judge.gone.insert(*number);
            }
        }
        Asked::Leave { show, number } => {
            if let Some(shelf) = shelves.get_mut(show) {
                shelf.judge.gone.insert(*number);
            }
        }
        _ => {}
    }
}

/// A gateway has answered.
pub(super) fn answered(world: &Arc<World>, gate: u32, asked: &Asked, started: u64, reply: &Reply) {
    world.tell(|| format!("gateway {gate} answers {asked:?}: {} {}", reply.status, reply.body));
    if reply.status == 500 {
        world.violated("panic", format!("{asked:?} is answered {reply:?}"));
    }
    let took = world.micros() - started;
    if took > ANSWER_MAX && !matches!(asked, Asked::Enter { .. }) {
        world.violated("late", format!("{asked:?} at gateway {gate} took {:.3} s", seconds(took)));
    }
    let mut shelves = world.shelves();
    match asked {
        Asked::Status { show, number } if reply.status == 200 => {
            let (Some(shelf), Ok(status)) = (shelves.get_mut(show), Status::deserialize_from(reply)) else {
                return;
            };
            status_told(world, shelf, gate, *number, &status);
        }
        Asked::Enter { show, number, person } => {
            if let Some(shelf) = shelves.get_mut(show) {
                entered(world, shelf, *number, person, started, reply);
            }
        }
        Asked::Forged if reply.status < 400 => {
            drop(shelves);
            return world.violated("forged", format!("a ticket that is none is answered {reply:?}"));
        }
        _ => {}
    }
    let found: Vec<_> = shelves.values_mut().flat_map(|shelf| shelf.judge.found()).collect();
    drop(shelves);
    for (invariant, words) in found {
        world.violated(invariant, words);
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

fn status_told(world: &World, shelf: &mut Shelf, gate: u32, number: u64, status: &Status) {
    let micros = world.micros();
    match status.status {
        QueueStatus::Waiting => {
            let since = shelf.judge.polls.get(&number).filter(|poll| poll.at + 8_000_000 > micros);
            let since = since.map_or(micros, |poll| poll.since);
            shelf.judge.polls.insert(number, Poll { gate, since, at: micros });
            position_told(shelf, gate, number, status.position, micros);
        }
        QueueStatus::Ready => {
            // Whoever is ready has a place, and what they were told of it is history.
            rest_told(world, shelf, gate, number, status);
        }
        QueueStatus::Expired | QueueStatus::Left => {
            shelf.judge.gone.insert(number);
        }
    }
    let ready = status.status == QueueStatus::Ready;
    let fits =
        ready == status.ready_for_entry && (status.status == QueueStatus::Waiting) == (status.position > 0);
    shelf.judge.check("status", fits, || format!("{status:?}"));
}

/// A place does not get worse at one gateway, unless somebody ahead came back or the store lost something.
fn position_told(shelf: &mut Shelf, gate: u32, number: u64, position: u64, micros: u64) {
    let Ticks { before: knows, news_at, .. } = shelf.ticks.get(&gate).copied().unwrap_or_default();
    let told = Told { position, micros, knows, news_at };
    let Some(before) = shelf.told.insert((number, gate), told) else { return };
    let since = before.knows;
    let hold = HOLD.as_micros() as u64 + 500_000;
    let is_unsure = since == 0
        || shelf.judge.losses.iter().any(|at| *at >= since)
        || (!shelf.judge.losses.is_empty() && since < before.news_at + hold);
    let is_pushed = shelf.judge.returns.iter().any(|(at, who)| *at >= since && *who < number);
    let holds = position <= before.position || is_unsure || is_pushed;
    shelf.judge.check("position", holds, || {
        format!(
            "gateway {gate} tells {number} place {position}, and {} at {:.3} s; nobody came back",
            before.position,
            seconds(before.micros)
        )
    });
}

/// Nobody is told that their turn, or their pass, lasts longer than it does.
fn rest_told(world: &World, shelf: &mut Shelf, gate: u32, number: u64, status: &Status) {
    let Ticks { before: knows, .. } = shelf.ticks.get(&gate).copied().unwrap_or_default();
    let patience = world.patience;
    let until = shelf.judge.known.people.get(&number).and_then(|seen| match seen.booked {
        Some(at) => Some(at.plus(patience.pass_for)),
        None => seen.ready.map(|since| since.plus(patience.ready_for)),
    });
    let is_unsure = shelf.lost.is_some() || shelf.judge.losses.iter().any(|at| *at >= knows);
    let (Some(until), Some(told), false) = (until, status.ready_for_sec, is_unsure) else { return };
    // A gateway goes on telling of a pass that the store has lost.
    let pass = shelf.judge.passes.newest(number).map(|at| at.plus(patience.pass_for));
    let rest = pass.map_or(until, |pass| pass.max(until)).since(world.clock.now());
    shelf.judge.check("rest", told <= rest.as_secs() + TOLD_LONG_MAX, || {
        format!("{number} is told {told} s, and has {rest:?}")
    });
}

fn entered(world: &World, shelf: &mut Shelf, number: u64, person: &str, started: u64, reply: &Reply) {
    let last = shelf.judge.passes.let_in_since(number, started);
    if let (403 | 410, Some(last)) = (reply.status, last)
        && let Standing::Entered { at, until } = last.standing
    {
        let is_early = reply.status == 403 && at.since(last.now) >= HELD_BACK_MAX;
        shelf.judge.check("ready", last.now >= until || is_early, || {
            format!("{number} is let in by the store ({last:?}) and told {reply:?}")
        });
    }
    if reply.status != 200 {
        return;
    }
    let Ok(given) = Entered::deserialize_from(reply) else {
        return world.violated("pass", format!("{reply:?}"));
    };
    let read = pass::verify(&[ROOM_SECRET.as_bytes()], &given.reservation_token, Timestamp::EPOCH);
    let Ok(read) = read else { return shelf.judge.check("W4", false, || format!("no pass: {given:?}")) };
    let is_theirs =
        *read.id == *number.to_string() && read.show == *shelf.judge.show() && read.person.as_str() == person;
    shelf.judge.check("W4", is_theirs, || format!("{person} with {number} gets {read:?}"));
    let at = read.expires_at.as_millis() - world.patience.pass_for.as_millis() as u64;
    let now = world.clock.now();
    let is_unsure = shelf.lost.is_some() || shelf.judge.losses.iter().any(|lost| *lost >= started);
    shelf.judge.check("W2", is_unsure || now.as_millis() >= at, || {
        format!("{number} has a pass at {now:?} that may be given from {at} ms on")
    });
    let two = shelf.judge.passes.handed_out(number, person, &given.reservation_token);
    shelf.judge.check("W4", two.is_none(), || two.unwrap_or_default());
}

/// Every quarter of a second: entry goes on within 5 s after the last trouble, if somebody is there to enter.
pub(super) fn look(world: &World) {
    let now = world.micros();
    let gates = super::gates::there(world);
    let mut found = Vec::new();
    for shelf in world.shelves().values_mut() {
        let lost_at = shelf.judge.losses.last().copied().unwrap_or_default();
        let trouble = [lost_at, shelf.judge.ruled_at, shelf.judge.behind_until];
        let calm_from = trouble.into_iter().fold(world.trouble_at(), u64::max);
        let judge = &shelf.judge;
        let known = &judge.known;
        let is_full =
            known.totals.ready >= u64::from(judge.rules.rate) * world.patience.ready_for.as_secs().max(1);
        let owes = judge.owed_at > 0 && judge.owed_at + 40_000_000 > now;
        if calm_from + RESUME_MAX > now || judge.rules.paused || is_full || owes {
            continue;
        }
        // Somebody has asked all the while, at a gateway that is there, and it is not their turn.
        let waits = judge.polls.iter().find(|(number, poll)| {
            let seen = known.people.get(number);
            gates.contains(&poll.gate)
                && poll.since + RESUME_MAX <= now
                && poll.at + 7_000_000 > now
                && !judge.gone.contains(number)
                && seen.is_none_or(|seen| seen.ready.is_none() && seen.booked.is_none())
        });
        let waits = waits.map(|(number, _)| *number);
        let turn_at = judge.turn_at;
        let holds = waits.is_none() || turn_at + RESUME_MAX > now;
        shelf.judge.check("resume", holds, || {
            format!(
                "nobody has got a turn since {:.3} s, nothing has gone wrong since {:.3} s, and {waits:?} waits",
                seconds(turn_at),
                seconds(calm_from)
            )
        });
        found.extend(shelf.judge.found());
    }
    for (invariant, words) in found {
        world.violated(invariant, words);
    }
}

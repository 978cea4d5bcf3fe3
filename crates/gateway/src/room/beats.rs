//! Signs of life, gathered.
//!
//! A poll is a sign of life, and so many polls are not so many calls of the store: each person's is sent every
//! [`BEAT_EVERY`], a hundred people in one call. Those whose turn may have come ask where they stand, and the answer
//! comes with the next call that goes anyway, milliseconds later.

use core::time::Duration;
use domain::waiting_room::{Standing, Ticket};
use ports::waiting_room::BEATS_MAX;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Notify, oneshot};

/// How often one person's sign of life is sent: three times within the grace of the line.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(10);
/// Whom nobody has heard of for so long is forgotten here; they are absent in the line by then.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// How long the answer that somebody has left, or came too late, is kept.
const FINAL_FOR: Duration = Duration::from_secs(10);

/// Who was heard of here.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    state: Mutex<State>,
    work: Notify,
    /// The first person after nobody was there.
    somebody: Notify,
}

#[derive(Debug, Default)]
struct State {
    people: HashMap<u64, Person>,
    /// Whose sign of life is to be sent, in the order of the line: those in front matter most.
    due: BTreeMap<u64, ()>,
    /// Somebody waits for an answer.
    is_urgent: bool,
    swept_at: Duration,
}

#[derive(Debug)]
struct Person {
    ticket: Ticket,
    heard_at: Duration,
    sent_at: Option<Duration>,
    last: Option<(Standing, Duration)>,
    asking: Vec<oneshot::Sender<Standing>>,
}

/// What is known of somebody who has just been heard of.
#[derive(Debug)]
pub(crate) enum Noted {
    /// Nothing that the counts do not tell.
    InLine,
    /// They have gone, it was told before.
    Gone(Standing),
    /// The answer is on its way.
    Asked(oneshot::Receiver<Standing>),
}

impl Beats {
    /// Somebody was heard of. `asks` if the counts do not tell where they stand.
    pub(crate) fn note(&self, ticket: &Ticket, asks: bool, now: Duration) -> Noted {
        let mut state = self.lock();
        if state.people.is_empty() {
            self.somebody.notify_one();
        }
        let person = state.people.entry(ticket.number).or_insert_with(|| Person {
            ticket: ticket.clone(),
            heard_at: now,
            sent_at: None,
            last: None,
            asking: Vec::new(),
        });
        person.heard_at = now;
        if let Some((standing @ (Standing::Left | Standing::Expired), at)) = person.last
            && now.saturating_sub(at) < FINAL_FOR
        {
            return Noted::Gone(standing);
        }
        if asks {
            let (tell, told) = oneshot::channel();
            person.asking.push(tell);
            state.due.insert(ticket.number, ());
            state.is_urgent = true;
            self.work.notify_one();
            return Noted::Asked(told);
        }
        if person.sent_at.is_none_or(|at| now.saturating_sub(at) >= BEAT_EVERY) {
            person.sent_at = Some(now);
            state.due.insert(ticket.number, ());
            self.work.notify_one();
        }
        Noted::InLine
    }

    /// Somebody has joined, which the store has taken as a sign of life.
    pub(crate) fn joined(&self, ticket: &Ticket, now: Duration) {
        let mut state = self.lock();
        let new =
            Person { ticket: ticket.clone(), heard_at: now, sent_at: None, last: None, asking: Vec::new() };
        let person = state.people.entry(ticket.number).or_insert(new);
        (person.heard_at, person.sent_at) = (now, Some(now));
        self.somebody.notify_one();
    }

    /// Returns when somebody was heard of.
    pub(crate) async fn anybody(&self) {
        while self.people() == 0 {
            self.somebody.notified().await;
        }
    }

    /// A command of the store has said where somebody stands.
    pub(crate) fn tell(&self, number: u64, standing: Standing, now: Duration) {
        self.lock().tell(number, standing, now);
    }

    /// Waits until there is something to send; whether somebody waits for it.
    pub(crate) async fn work(&self) -> bool {
        loop {
            let is_urgent = {
                let state = self.lock();
                (!state.due.is_empty()).then_some(state.is_urgent)
            };
            match is_urgent {
                Some(is_urgent) => return is_urgent,
                None => self.work.notified().await,
            }
        }
    }

    /// Whether somebody waits for an answer, from now or sooner: returns when that is so.
    pub(crate) async fn urgent(&self) {
        while !self.lock().is_urgent {
            self.work.notified().await;
        }
    }

    /// The next call: up to [`BEATS_MAX`] tickets.
    pub(crate) fn take(&self, now: Duration) -> Vec<Ticket> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if now.saturating_sub(state.swept_at) >= FORGOTTEN_AFTER {
            state.swept_at = now;
            state.people.retain(|_, person| now.saturating_sub(person.heard_at) < FORGOTTEN_AFTER);
        }
        let mut tickets = Vec::new();
        while tickets.len() < BEATS_MAX
            && let Some((number, ())) = state.due.pop_first()
        {
            if let Some(person) = state.people.get_mut(&number) {
                person.sent_at = Some(now);
                tickets.push(person.ticket.clone());
            }
        }
        if state.due.is_empty() {
            state.is_urgent = false;
        }
        tickets
    }

    /// The answers to a call.
    pub(crate) fn answered(&self, tickets: &[Ticket], standings: &[Standing], now: Duration) {
        let mut state = self.lock();
        for (ticket, standing) in tickets.iter().zip(standings) {
            state.tell(ticket.number, *standing, now);
        }
    }

    /// A call without an answer: it will be sent again. Who waits for it is told nothing and goes by what is known.
    pub(crate) fn unanswered(&self, tickets: Vec<Ticket>) {
        let mut state = self.lock();
        for ticket in tickets {
            state.due.insert(ticket.number, ());
            if let Some(person) = state.people.get_mut(&ticket.number) {
                person.asking.clear();
            }
        }
    }

    /// The store has lost something: everybody who was heard of lately is told to it again.
    pub(crate) fn again(&self, now: Duration) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let lately = |person: &&mut Person| now.saturating_sub(person.heard_at) < 3 * BEAT_EVERY;
        for person in state.people.values_mut().filter(lately) {
            person.last = None;
            person.sent_at = Some(now);
            state.due.insert(person.ticket.number, ());
        }
        self.work.notify_one();
    }

    /// How many people were heard of lately.
    pub(crate) fn people(&self) -> usize {
        self.lock().people.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, number: u64, standing: Standing, now: Duration) {
        let Some(person) = self.people.get_mut(&number) else { return };
        person.last = Some((standing, now));
        for asking in person.asking.drain(..) {
            // Who asked may have gone away.
            let _ = asking.send(standing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;

    fn ticket(number: u64) -> Ticket {
        Ticket { number, key: format!("u:{number}").into(), joined_at: Timestamp::from_millis(0) }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_hundred_polls_of_a_person_are_one_sign_of_life_every_ten_seconds() {
        let beats = Beats::default();
        let mut sent = 0;
        for tenth in 0..=200 {
            let now = Duration::from_millis(tenth * 100);
            assert!(matches!(beats.note(&ticket(7), false, now), Noted::InLine));
            sent += beats.take(now).len();
        }
        assert_eq!(sent, 3, "at 0, 10 and 20 seconds");
    }

    #[test]
    fn who_asks_is_told_with_the_next_call_and_those_in_front_go_first() {
        let beats = Beats::default();
        let number = BEATS_MAX as u64 + 1;
        for number in (1..=number).rev() {
            beats.note(&ticket(number), false, s(1));
        }
        let Noted::Asked(mut told) = beats.note(&ticket(3), true, s(1)) else { panic!("it is not known") };
        let call = beats.take(s(1));
        assert_eq!(call.len(), BEATS_MAX);
        assert!(call.iter().map(|ticket| ticket.number).eq(1..=BEATS_MAX as u64));
        let standings = vec![Standing::Waiting; call.len()];
        beats.answered(&call, &standings, s(2));
        assert_eq!(told.try_recv(), Ok(Standing::Waiting));
        assert_eq!(beats.take(s(2)), [ticket(number)]);
    }

    #[test]
    fn what_was_not_answered_is_sent_again_and_nobody_is_kept_waiting() {
        let beats = Beats::default();
        let Noted::Asked(mut told) = beats.note(&ticket(3), true, s(1)) else { panic!("it is not known") };
        let call = beats.take(s(1));
        beats.unanswered(call);
        assert!(told.try_recv().is_err());
        assert_eq!(beats.take(s(1)), [ticket(3)]);
    }

    #[test]
    fn after_a_loss_everybody_of_late_is_told_again_in_the_order_of_the_line() {
        let beats = Beats::default();
        for number in [5, 2, 9] {
            beats.note(&ticket(number), false, s(number));
        }
        beats.take(s(9));
        beats.tell(2, Standing::Left, s(9));
        beats.again(s(32));
        assert_eq!(beats.take(s(32)), [ticket(5), ticket(9)], "2 was heard of 30 s ago");
    }

    #[test]
    fn who_has_gone_is_told_so_without_a_call_and_forgotten_later() {
        let beats = Beats::default();
        beats.note(&ticket(3), false, s(1));
        beats.take(s(1));
        beats.tell(3, Standing::Left, s(1));
        assert!(matches!(beats.note(&ticket(3), true, s(2)), Noted::Gone(Standing::Left)));
        assert!(matches!(beats.note(&ticket(3), true, s(12)), Noted::Asked(_)));
        beats.take(s(12));
        beats.take(s(80));
        assert_eq!(beats.people(), 0);
    }
}

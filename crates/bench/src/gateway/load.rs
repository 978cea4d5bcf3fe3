//! The load: an open loop of joins, polls and enters on one thread.
//!
//! Requests are due at random times of a given rate, whatever happened to earlier ones, and
//! their latency counts from their due time: a gateway that stalls is charged for every request
//! that was due meanwhile. After a join, people poll when the gateway asks them to. A person
//! with a turn enters at once, except for a share that never comes. Another share of the
//! requests are enters without a turn; their 403 is no error and is counted separately.
//!
//! An enter is answered when its pass becomes valid. So people with a turn use connections of
//! their own, as many as needed, and nobody waits behind them.
//!
//! One thread, one epoll, no runtime: at 30,000 requests a second a microsecond a request is 3
//! % of a core.

use super::Plan;
use super::answers::{Due, What, World};
use super::link::{Ended, Link, Sent};
use super::people::People;
use super::tally::Tally;
use super::wire::{Operation, Requests};
use crate::now;
use anyhow::{Context, Result, ensure};
use domain::random::{Random, SplitMix64};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use serde_json::Value;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

const SECOND: u64 = 1_000_000_000;
/// The shortest sleep until a request is due: a wake-up for each request would cost more than
/// the request.
const NAP: u64 = 200_000;
/// A request without an answer for so long has none.
const ANSWER_WITHIN: u64 = 10 * SECOND;
/// How long open requests are awaited after the end of the window.
const DRAIN: u64 = 3 * SECOND;
/// Requests of a prefilled line that are under way at once.
const PREFILL_AT_ONCE: usize = 64;
/// Most connections of people with a turn.
const ASIDE_MAX: usize = 2_000;

/// Runs the plan; `begin` is called when the measured window begins. The figures are those of
/// docs/contracts.md#commands, and more.
pub fn run(plan: &Plan, begin: impl FnOnce()) -> Result<Value> {
    let mut load = Load::new(plan)?;
    load.prefill(plan.prefill)?;
    let start = clock();
    load.go(start + plan.warm_up.as_nanos() as u64)?;
    load.tally = Tally::new();
    load.people.forgotten = 0;
    begin();
    let (from, cpu) = (clock(), crate::cpu_of(std::process::id())?);
    load.go(from + plan.measured.as_nanos() as u64)?;
    let seconds = (clock() - from) as f64 / SECOND as f64;
    let cpu = crate::cpu_of(std::process::id())? - cpu;
    // Answers after the window are counted, but are no throughput.
    let (answered, passes) = load.tally.so_far();
    let unsent = load.drain()?;
    let mut figures = load.tally.figures();
    figures["requests_per_second"] = (answered as f64 / seconds).round().into();
    figures["admitted_per_second"] = crate::round(passes as f64 / seconds).into();
    figures["seconds"] = crate::round(seconds).into();
    figures["offered_per_second"] = plan.rate.into();
    figures["unsent"] = unsent.into();
    figures["polling_at_the_end"] = load.people.polling().into();
    figures["joined_and_not_kept"] = load.people.forgotten.into();
    figures["connections"] = load.links.len().into();
    figures["connections_lost"] = load.reopened.into();
    let answered = figures["answered"].as_u64().unwrap_or_default().max(1);
    figures["generator_cpu_us_per_request"] =
        ((cpu.as_secs_f64() * 1e8 / answered as f64).round() / 100.0).into();
    figures["generator_cores"] = ((cpu.as_secs_f64() / seconds * 100.0).round() / 100.0).into();
    Ok(figures)
}

fn open(plan: &Plan, epoll: &OwnedFd, at: usize) -> Result<Link> {
    let to = plan.targets[at % plan.targets.len()];
    let link = Link::open(to).with_context(|| format!("connect to {to}"))?;
    epoll::add(epoll, &link, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
    Ok(link)
}

fn clock() -> u64 {
    now().as_nanos() as u64
}

/// How many people join, and some more.
fn expected(plan: &Plan) -> usize {
    let seconds = (plan.warm_up + plan.measured).as_secs_f64();
    plan.prefill as usize + (f64::from(plan.rate) * plan.mix.joins * seconds * 1.2) as usize
}

struct Load<'a> {
    plan: &'a Plan,
    requests: Requests,
    epoll: OwnedFd,
    links: Vec<Link>,
    /// Links that have room for a request, the one that has rested longest first.
    idle: VecDeque<usize>,
    /// The same for people with a turn.
    aside: VecDeque<usize>,
    /// Due requests, and those of people with a turn.
    due: VecDeque<Due>,
    urgent: VecDeque<Due>,
    next_at: u64,
    people: People,
    joined: u64,
    tally: Tally,
    reopened: u64,
    checked_at: u64,
    dice: SplitMix64,
    events: Vec<epoll::Event>,
    bytes: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan) -> Result<Self> {
        ensure!(!plan.targets.is_empty() && plan.connections > 0, "there is nothing to connect to");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut links = Vec::new();
        for at in 0..plan.connections {
            links.push(open(plan, &epoll, at)?);
        }
        let headers = plan.headers.iter().map(|header| format!("{header}\r\n")).collect::<String>();
        Ok(Self {
            plan,
            requests: Requests::new(&plan.host, &plan.event, &headers),
            epoll,
            idle: (0..links.len()).collect(),
            aside: VecDeque::new(),
            links,
            due: VecDeque::new(),
            urgent: VecDeque::new(),
            next_at: clock(),
            people: People::with_capacity(expected(plan)),
            joined: 0,
            tally: Tally::new(),
            reopened: 0,
            checked_at: clock(),
            dice: SplitMix64::new(plan.seed),
            events: Vec::with_capacity(plan.connections),
            bytes: Vec::new(),
            buffer: Vec::new(),
        })
    }

    /// Lets so many people join, as fast as it goes.
    fn prefill(&mut self, people: u64) -> Result<()> {
        let until = clock() + 60 * SECOND;
        while self.joined < people || self.under_way() > 0 {
            let now = clock();
            ensure!(now < until, "{} of {people} people have joined in a minute", self.joined);
            // People whose turn comes meanwhile enter at once, so that they do not pile up.
            self.dispatch(now)?;
            while self.joined < people && self.under_way() < PREFILL_AT_ONCE && !self.idle.is_empty() {
                let what = if self.people.is_due(now) { What::Status } else { What::Join };
                self.send(Due { at: now, what }, now);
            }
            self.wait(now + SECOND / 10)?;
            self.check(now);
        }
        ensure!(people == 0 || self.people.polling() > 0, "nobody could join: {}", self.tally.figures());
        Ok(())
    }

    /// The open loop, until then.
    fn go(&mut self, until: u64) -> Result<()> {
        self.next_at = clock();
        loop {
            let now = clock();
            if now >= until {
                return Ok(());
            }
            while self.next_at <= now {
                let what = self.choose();
                self.due.push_back(Due { at: self.next_at, what });
                let gap = -(1.0 - self.dice.unit()).ln() / f64::from(self.plan.rate);
                self.next_at += (gap * SECOND as f64) as u64;
            }
            self.dispatch(now)?;
            self.wait(self.next_at.max(now + NAP).min(until))?;
            self.check(now);
        }
    }

    /// Waits for the answers to requests in flight; returns how many requests were due and not
    /// sent.
    fn drain(&mut self) -> Result<usize> {
        let now = clock();
        let unsent: Vec<_> = self.urgent.drain(..).chain(self.due.drain(..)).collect();
        for due in &unsent {
            self.tally.unsent(due.what.operation(), due.at, now);
        }
        let until = now + DRAIN;
        while self.under_way() > 0 && clock() < until {
            self.wait(until)?;
            // Nobody enters any more.
            self.urgent.clear();
        }
        for link in &mut self.links {
            let tally = &mut self.tally;
            link.lost("without an answer", |ended| {
                if let Ended::Lost(sent, why) = ended {
                    tally.error(sent.operation, why);
                }
            });
        }
        Ok(unsent.len())
    }

    fn under_way(&self) -> usize {
        self.links.iter().map(|link| link.sent.len()).sum()
    }

    fn choose(&mut self) -> What {
        let mix = &self.plan.mix;
        let luck = self.dice.unit() * (mix.joins + mix.polls + mix.early);
        match () {
            () if luck < mix.joins => What::Join,
            () if luck < mix.joins + mix.early => What::Early,
            () => What::Status,
        }
    }

    /// Sends due requests, as far as connections have room.
    fn dispatch(&mut self, now: u64) -> Result<()> {
        while !self.urgent.is_empty() {
            if self.aside.is_empty() && self.links.len() < self.plan.connections + ASIDE_MAX {
                self.aside.push_back(self.links.len());
                self.links.push(open(self.plan, &self.epoll, self.links.len())?);
            }
            let (Some(due), Some(at)) = (self.urgent.front().copied(), self.aside.pop_front()) else { break };
            self.urgent.pop_front();
            self.send_on(at, due, now);
        }
        while !self.idle.is_empty() {
            let Some(due) = self.due.pop_front() else { break };
            self.send(due, now);
        }
        Ok(())
    }

    fn send(&mut self, due: Due, now: u64) {
        if let Some(at) = self.idle.pop_front() {
            self.send_on(at, due, now);
        }
    }

    fn send_on(&mut self, at: usize, due: Due, now: u64) {
        let mut what = due.what;
        let mut who = match what {
            What::Join => None,
            What::Enter(who) => Some(who),
            What::Early => self.people.anybody(&mut self.dice),
            What::Status => self.people.next(),
        };
        if who.is_none() && what != What::Join {
            self.tally.dry += 1;
            (what, who) = (What::Join, None);
        }
        self.bytes.clear();
        match (what.operation(), who) {
            (Operation::Status, Some(who)) => self.requests.status(&mut self.bytes, self.people.query(who)),
            (Operation::Enter, Some(who)) => self.requests.enter(&mut self.bytes, self.people.token(who)),
            _ => {
                self.joined += 1;
                self.requests.join(&mut self.bytes, self.plan.seed, self.joined);
            }
        }
        let sent =
            Sent { operation: what.operation(), who, early: what == What::Early, due: due.at, at: now };
        if !self.links[at].send(&self.bytes, sent) {
            self.lose(at, "not taken");
        } else if self.has_room(at) {
            self.rest(at);
        }
    }

    /// Nothing is sent behind an enter.
    fn has_room(&self, at: usize) -> bool {
        let most = if at < self.plan.connections { self.plan.pipeline } else { 1 };
        self.links[at].sent.len() < most
    }

    fn rest(&mut self, at: usize) {
        let resting = if at < self.plan.connections { &mut self.idle } else { &mut self.aside };
        resting.push_back(at);
    }

    /// Takes the answers that have arrived, or waits for some until then.
    fn wait(&mut self, until: u64) -> Result<()> {
        let left = until.saturating_sub(clock());
        let timeout = Timespec { tv_sec: (left / SECOND) as i64, tv_nsec: (left % SECOND) as i64 };
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let now = clock();
        for event in 0..self.events.len() {
            let at = self.events[event].data.u64() as usize;
            self.receive(at, now);
        }
        Ok(())
    }

    fn receive(&mut self, at: usize, now: u64) {
        let had_room = self.has_room(at);
        let Self { links, buffer, plan, people, tally, urgent, dice, .. } = self;
        let mut world = World { plan, people, tally, urgent, dice, now };
        if !links[at].receive(buffer, |ended| world.ended(ended)) {
            self.reopen(at);
        }
        if !had_room && self.has_room(at) {
            self.rest(at);
        }
    }

    /// Once a second: gives requests up that have no answer.
    fn check(&mut self, now: u64) {
        if now < self.checked_at + SECOND {
            return;
        }
        self.checked_at = now;
        for at in 0..self.links.len() {
            if self.links[at].sent.front().is_some_and(|sent| sent.at + ANSWER_WITHIN < now) {
                self.lose(at, "without an answer");
            }
        }
    }

    fn lose(&mut self, at: usize, why: &'static str) {
        let tally = &mut self.tally;
        self.links[at].lost(why, |ended| {
            if let Ended::Lost(sent, why) = ended {
                tally.error(sent.operation, why);
            }
        });
        self.reopen(at);
        if !self.idle.contains(&at) && !self.aside.contains(&at) {
            self.rest(at);
        }
    }

    /// A gateway that no longer accepts connections fails the next request on this one, which
    /// returns here.
    fn reopen(&mut self, at: usize) {
        self.reopened += 1;
        let link = &mut self.links[at];
        if link.reopen().is_ok() {
            let data = epoll::EventData::new_u64(at as u64);
            // The old one left when it was closed.
            let _ = epoll::add(&self.epoll, &*link, data, epoll::EventFlags::IN);
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a gateway of threads, which lives in real time")]
mod tests {
    use super::*;
    use crate::gateway::Mix;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    /// Answers everybody: their turn comes at once, and what `answer` says of a request line
    /// may come instead.
    fn gateway(answer: fn(&str) -> Option<&'static str>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || serve(stream.unwrap(), answer));
            }
        });
        address
    }

    fn serve(stream: TcpStream, answer: fn(&str) -> Option<&'static str>) {
        let mut input = BufReader::new(stream.try_clone().unwrap());
        let mut output = stream;
        loop {
            let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
            while line != "\r\n" {
                line.clear();
                if input.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if first.is_empty() {
                    first.clone_from(&line);
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            input.read_exact(&mut vec![0; length]).unwrap();
            let body = answer(&first).unwrap_or(match first.as_bytes() {
                [b'G', ..] => r#"{"status":"ready","ready_for_entry":true,"poll_after_ms":5}"#,
                first if first.windows(5).any(|five| five == b"enter") => {
                    r#"{"reservation_token":"x","ttl_sec":30}"#
                }
                _ => r#"{"waiting_token":"a.b","poll_after_ms":5}"#,
            });
            let status = if body.starts_with("403") { "403 No" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            // In one piece: the rest of another would wait for an acknowledgement.
            output.write_all(answer.as_bytes()).unwrap();
        }
    }

    fn figures(answer: fn(&str) -> Option<&'static str>) -> Value {
        let address = gateway(answer);
        let plan = Plan {
            targets: vec![address],
            host: address.to_string(),
            headers: Vec::new(),
            event: "show".to_owned(),
            rate: 400,
            mix: Mix { joins: 0.5, polls: 0.4, early: 0.0 },
            no_shows: 0.0,
            connections: 4,
            pipeline: 1,
            prefill: 50,
            warm_up: Duration::from_millis(100),
            measured: Duration::from_millis(500),
            seed: 3,
        };
        run(&plan, || ()).unwrap()
    }

    #[test]
    fn a_person_whose_turn_it_is_enters() {
        let figures = figures(|_| None);
        assert_eq!(figures["errors"], 0, "{figures}");
        assert!(figures["statuses"].as_u64() > Some(0), "{figures}");
        assert!(figures["admitted"].as_u64() > Some(0), "{figures}");
    }

    #[test]
    fn a_refusal_in_ones_turn_is_an_error() {
        let figures = figures(|first| first.contains("enter").then_some("403"));
        assert_eq!(figures["errors"], figures["errors_by_kind"]["enter 403 in their turn"], "{figures}");
        assert!(figures["errors"].as_u64() > Some(0), "{figures}");
    }
}

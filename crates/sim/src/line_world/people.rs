//! The people: they join, ask, enter; vanish, return, ask too often, leave, never enter, join
//! again, and forge.
//!
//! A person knows only the answers that they got. People who want to enter continue until they have
//! a pass or hear that their turn is over for good.

use super::gateways::{self, Call, Reply, ask};
use super::room::{JWT_SECRET, ROOM_SECRET, Room, show_of};
use super::watch::Asked;
use crate::core::{EPOCH_MS, stream};
use crate::exec::lock;
use contracts::rest::gateway::{Entered, Joined, QueueStatus, Status};
use core::time::Duration;
use domain::id::{PersonId, ShowId};
use domain::random::{Random, SplitMix64};
use domain::time::Timestamp;
use domain::waiting_room::Ticket;
use gateway::token::Signer;
use http::Method;
use identity::{Claims, Secret, mint};
use serde_json::json;
use std::sync::Arc;

/// How long a person waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a person waits for a pass, which may be handed out later.
const PASS_PATIENCE: Duration = Duration::from_secs(40);
/// How often a person whose turn is over joins again.
const REJOINS: u32 = 2;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Steady,
    EntersTwice,
    EntersAtTwoGates,
    EntersLate,
    Vanishes,
    ComesBack,
    AsksTooOften,
    Leaves,
    NeverEnters,
    JoinsAgain,
    Forges,
}

const BEHAVIOURS: [Behaviour; 14] = [
    Behaviour::Steady,
    Behaviour::Steady,
    Behaviour::Steady,
    Behaviour::Steady,
    Behaviour::EntersTwice,
    Behaviour::EntersAtTwoGates,
    Behaviour::EntersLate,
    Behaviour::Vanishes,
    Behaviour::ComesBack,
    Behaviour::AsksTooOften,
    Behaviour::Leaves,
    Behaviour::NeverEnters,
    Behaviour::JoinsAgain,
    Behaviour::Forges,
];

/// How a person identifies themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    SignedIn,
    Claims,
    Keyed,
}

struct Person {
    world: Arc<Room>,
    name: String,
    manner: Manner,
    show: ShowId,
    dice: SplitMix64,
    signer: Signer,
    held: Option<(String, Ticket)>,
}

/// The result of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ready,
    Gone,
}

/// Lets everybody come in their time.
pub(super) fn come(world: &Arc<Room>) {
    for number in 0..world.plan.people {
        let mut dice = stream(world.plan.seed, 100_000 + u64::from(number));
        let at = Duration::from_micros(dice.below(world.plan.arrivals.as_micros() as u64 + 1));
        let show = show_of(dice.below(u64::from(world.plan.shows)) as u32);
        let manner = match dice.below(4) {
            0 => Manner::SignedIn,
            1 => Manner::Keyed,
            _ => Manner::Claims,
        };
        let behaviour = BEHAVIOURS[dice.below(BEHAVIOURS.len() as u64) as usize];
        let name = format!("person-{number}");
        lock(&world.there).insert(name.clone());
        let signer = Signer::new([ROOM_SECRET]);
        let mut person = Person { world: Arc::clone(world), name, manner, show, dice, signer, held: None };
        let exec = world.exec.clone();
        world.exec.spawn(world.people, async move {
            exec.sleep(at).await;
            person.world.record(|| format!("{} comes: {behaviour:?}, {:?}", person.name, person.manner));
            let ended = person.live(behaviour).await;
            person.world.record(|| format!("{} {ended}", person.name));
            lock(&person.world.there).remove(&person.name);
        });
    }
}

impl Person {
    async fn sleep(&self, duration: Duration) {
        self.world.exec.sleep(duration).await;
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.dice.below(to - from))
    }

    /// A running gateway, as a load balancer would choose it.
    async fn gateway(&mut self) -> u32 {
        loop {
            let there = gateways::there(&self.world);
            let luck = self.dice.below(1 << 20) as usize;
            match there.get(luck % there.len().max(1)) {
                Some(gateway) => return *gateway,
                None => self.sleep(Duration::from_millis(300)).await,
            }
        }
    }

    fn token(&self) -> String {
        let at = Timestamp::from_millis(EPOCH_MS - 3_600_000);
        let claims = Claims {
            person: PersonId::parse(&self.name).expect("letters and a number"),
            issuer: Some(gateway::ISSUER.to_owned()),
            audience: Some(gateway::ISSUER.to_owned()),
            issued_at: at,
            expires_at: at.plus(Duration::from_secs(86_400)),
        };
        mint(&Secret::new(JWT_SECRET).expect("it is long enough"), &claims)
    }

    fn bearer(&self) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", self.token()))
    }

    /// Joins, with as many tries as it takes; `None`: the line stays closed for a long time.
    async fn join(&mut self) -> Option<Joined> {
        for _ in 0..600 {
            let gateway = self.gateway().await;
            let mut body = json!({"event_id": self.show.as_str()});
            let mut headers = Vec::new();
            match self.manner {
                Manner::SignedIn => headers.push(self.bearer()),
                Manner::Claims => body["user_id"] = self.name.clone().into(),
                Manner::Keyed => headers.push(("idempotency-key", format!("key-{}", self.name))),
            }
            let call = Call {
                method: Method::POST,
                path: "/api/v1/queue/join".to_owned(),
                headers,
                body: Some(body),
                is_admin: false,
                asked: Asked::Join,
            };
            let reply = ask(&self.world, gateway, PATIENCE, call).await;
            if let Some(Reply { status: 202, body }) = &reply {
                let joined: Joined = serde_json::from_value(body.clone()).ok()?;
                let Ok((_, ticket)) = self.signer.verify(&joined.waiting_token) else {
                    self.world.violated("ticket", format!("{joined:?} has no ticket"));
                    return None;
                };
                self.held = Some((joined.waiting_token.clone(), ticket));
                return Some(joined);
            }
            let rest = self.millis(500, 2_000);
            self.sleep(rest).await;
        }
        None
    }

    fn number(&self) -> u64 {
        self.held.as_ref().map(|(_, ticket)| ticket.number).unwrap_or_default()
    }

    fn text(&self) -> String {
        self.held.as_ref().map(|(text, _)| text.clone()).unwrap_or_default()
    }

    async fn status(&mut self) -> Option<Status> {
        let gateway = self.gateway().await;
        let headers = match self.manner {
            Manner::SignedIn if self.dice.below(2) == 0 => vec![self.bearer()],
            _ => Vec::new(),
        };
        let call = Call {
            method: Method::GET,
            path: format!("/api/v1/queue/status?token={}", self.text()),
            headers,
            body: None,
            is_admin: false,
            asked: Asked::Status { show: self.show.clone(), number: self.number() },
        };
        let reply = ask(&self.world, gateway, PATIENCE, call).await.filter(|reply| reply.status == 200)?;
        serde_json::from_value(reply.body).ok()
    }

    /// Polls as often as the answers say until it is their turn, or this many times.
    async fn wait(&mut self, times: u64) -> Option<Turn> {
        for _ in 0..times {
            let rest = match self.status().await {
                Some(Status { status: QueueStatus::Ready, .. }) => return Some(Turn::Ready),
                Some(Status { status: QueueStatus::Expired | QueueStatus::Left, .. }) => {
                    return Some(Turn::Gone);
                }
                Some(status) => Duration::from_millis(status.poll_after_ms),
                None => self.millis(500, 1_500),
            };
            self.sleep(rest).await;
        }
        None
    }

    fn enters(&self) -> Call {
        let headers = if self.manner == Manner::Claims { Vec::new() } else { vec![self.bearer()] };
        Call {
            method: Method::POST,
            path: "/api/v1/queue/enter".to_owned(),
            headers,
            body: Some(json!({"waiting_token": self.text()})),
            is_admin: false,
            asked: Asked::Enter { show: self.show.clone(), number: self.number(), person: self.name.clone() },
        }
    }

    /// Asks for a pass until there is one; `None`: it is not their turn, or no longer.
    async fn enter(&mut self) -> Option<Entered> {
        loop {
            let gateway = self.gateway().await;
            match ask(&self.world, gateway, PASS_PATIENCE, self.enters()).await {
                Some(Reply { status: 200, body }) => return serde_json::from_value(body).ok(),
                Some(reply) if reply.status == 410 || reply.code() == "NOT_READY" => return None,
                _ => {
                    let rest = self.millis(200, 1_500);
                    self.sleep(rest).await;
                }
            }
        }
    }

    /// Waits and enters until there is a pass, or the answer is final.
    async fn get_in(&mut self) -> &'static str {
        for _ in 0..=REJOINS {
            while self.wait(u64::MAX).await == Some(Turn::Ready) {
                if self.enter().await.is_some() {
                    return "is in";
                }
            }
            if self.join().await.is_none() {
                return "finds no place again";
            }
        }
        "was too late too often"
    }

    async fn live(&mut self, behaviour: Behaviour) -> &'static str {
        if self.join().await.is_none() {
            return "finds no place";
        }
        match behaviour {
            Behaviour::Steady => return self.get_in().await,
            Behaviour::EntersTwice => {
                let end = self.get_in().await;
                for _ in 0..self.dice.below(3) {
                    let rest = self.millis(0, 9_000);
                    self.sleep(rest).await;
                    self.enter().await;
                    self.status().await;
                }
                return end;
            }
            Behaviour::EntersAtTwoGates => self.enter_at_once().await,
            Behaviour::EntersLate => {
                while self.wait(u64::MAX).await == Some(Turn::Ready) {
                    let rest = self.millis(500, 14_000);
                    self.sleep(rest).await;
                    if self.enter().await.is_some() {
                        return "is in late";
                    }
                }
            }
            Behaviour::Vanishes => {
                let times = self.dice.below(8);
                self.wait(times).await;
                return "vanishes";
            }
            Behaviour::ComesBack => {
                for _ in 0..=self.dice.below(2) {
                    let times = self.dice.below(8);
                    if self.wait(times).await.is_some() {
                        break;
                    }
                    let away = self.millis(2_000, 60_000);
                    self.sleep(away).await;
                }
                return self.get_in().await;
            }
            Behaviour::AsksTooOften => {
                for _ in 0..self.dice.below(150) {
                    self.status().await;
                    let rest = self.millis(1, 120);
                    self.sleep(rest).await;
                }
                return self.get_in().await;
            }
            Behaviour::Leaves => return self.leave_and_return().await,
            Behaviour::NeverEnters => {
                // Through their turn, and then for good.
                for _ in 0..4 {
                    if self.wait(60).await != Some(Turn::Ready) {
                        break;
                    }
                    let rest = self.millis(1_000, 20_000);
                    self.sleep(rest).await;
                }
                return "never enters";
            }
            Behaviour::JoinsAgain => {
                for _ in 0..self.dice.below(4) {
                    let times = self.dice.below(4);
                    self.wait(times).await;
                    self.join().await;
                }
                return self.get_in().await;
            }
            Behaviour::Forges => {
                for _ in 0..6 {
                    self.forge().await;
                    let rest = self.millis(100, 4_000);
                    self.sleep(rest).await;
                }
                return self.get_in().await;
            }
        }
        self.get_in().await
    }

    /// Two requests at two gateways, at the same moment.
    async fn enter_at_once(&mut self) {
        if self.wait(u64::MAX).await != Some(Turn::Ready) {
            return;
        }
        let (one, two) = (self.gateway().await, self.gateway().await);
        let calls = [(one, self.enters()), (two, self.enters())];
        let [(one, first), (two, second)] = calls;
        let world = &self.world;
        tokio::join!(
            biased;
            ask(world, one, PASS_PATIENCE, first),
            ask(world, two, PASS_PATIENCE, second)
        );
    }

    async fn leave_and_return(&mut self) -> &'static str {
        let times = self.dice.below(6);
        self.wait(times).await;
        for _ in 0..50 {
            let gateway = self.gateway().await;
            let call = Call {
                method: Method::POST,
                path: format!("/api/v1/queue/leave?token={}", self.text()),
                headers: Vec::new(),
                body: None,
                is_admin: false,
                asked: Asked::Leave { show: self.show.clone(), number: self.number() },
            };
            if ask(&self.world, gateway, PATIENCE, call).await.is_some_and(|reply| reply.status == 200) {
                break;
            }
            let rest = self.millis(200, 1_500);
            self.sleep(rest).await;
        }
        self.status().await;
        if self.dice.below(2) == 0 {
            return "leaves";
        }
        match self.join().await {
            Some(_) => self.get_in().await,
            None => "finds no place again",
        }
    }

    /// Presents a forged ticket.
    async fn forge(&mut self) {
        let text = self.text();
        let Some((_, ticket)) = &self.held else { return };
        let better = Ticket { number: ticket.number - 1 - self.dice.below(100), ..ticket.clone() };
        let forged = match self.dice.below(5) {
            0 => Signer::new(["a secret of somebody else"]).sign(&self.show, &better),
            1 => {
                let other = self.signer.sign(&self.show, &better);
                // The payload of one ticket with the signature of another.
                let (payload, signature) = (other.rsplit_once('.'), text.rsplit_once('.'));
                format!("{}.{}", payload.unwrap_or_default().0, signature.unwrap_or_default().1)
            }
            2 => text.replacen("q1.", "p1.", 1),
            3 => text[..text.len() - 5].to_owned(),
            _ => "q1.e30.AAAA".to_owned(),
        };
        let gateway = self.gateway().await;
        let (method, path, body) = match self.dice.below(3) {
            0 => (Method::POST, "/api/v1/queue/enter".to_owned(), Some(json!({"waiting_token": forged}))),
            1 => (Method::POST, format!("/api/v1/queue/leave?token={forged}"), None),
            _ => (Method::GET, format!("/api/v1/queue/status?token={forged}"), None),
        };
        let call = Call { method, path, headers: Vec::new(), body, is_admin: false, asked: Asked::Forged };
        ask(&self.world, gateway, PATIENCE, call).await;
    }
}

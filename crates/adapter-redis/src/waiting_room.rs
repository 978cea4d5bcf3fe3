//! Lines on Redis.

use crate::fault::fault;
use crate::link::Link;
use crate::options::RedisOptions;
use async_trait::async_trait;
use core::time::Duration;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::{
    BLOCK, BLOCKS_MAX, COST, JUMP, MISSED_MAX, NO_TURNS_FOR, Patience, Refusal, RuleChange, Rules, STALL,
    STEPS_MAX, Snapshot, Standing, Ticket, Totals,
};
use parking_lot::{Mutex, MutexGuard};
use ports::waiting_room::{BEATS_MAX, Dated, PERSON_KEY_BYTES_MAX, Ticked};
use ports::{Clock, Entropy, Fault, PortError, WaitingRoomStore};
use redis::{ErrorKind, Script, ServerErrorKind, Value};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The code that runs on the server: the rules' numbers, and the script that uses them.
static LINE: LazyLock<String> = LazyLock::new(|| {
    let numbers = [
        ("BLOCK", u128::from(BLOCK)),
        ("STEPS_MAX", STEPS_MAX as u128),
        ("BLOCKS_MAX", BLOCKS_MAX as u128),
        ("JUMP", u128::from(JUMP)),
        ("NO_TURNS_FOR", NO_TURNS_FOR.as_millis()),
        ("STALL", STALL.as_millis()),
        ("MISSED_MAX", u128::from(MISSED_MAX)),
        ("COST", u128::from(COST.unsigned_abs())),
    ];
    let (names, values): (Vec<_>, Vec<_>) =
        numbers.into_iter().map(|(name, value)| (name, value.to_string())).unzip();
    let line = include_str!("line.lua");
    format!("local {} = {}\n{line}", names.join(", "), values.join(", "))
});

/// The keys of one show, in the script's order.
const KEYS: [&str; 11] = [
    "line",
    "people",
    "numbers",
    "waiting",
    "seen",
    "held",
    "unheld",
    "remembered",
    "blocks",
    "changes",
    "known",
];

/// How long an operator's notice lasts: longer than a sale, and not forever.
const NOTICE_FOR: Duration = Duration::from_secs(24 * 3_600);

/// The lines of all shows, on one server or one cluster.
pub struct RedisWaitingRoom {
    link: Link,
    script: Script,
    prefix: String,
    patience: Patience,
    entropy: Arc<dyn Entropy>,
    clock: Option<Arc<dyn Clock>>,
    shows: Mutex<HashMap<ShowId, Opened>>,
}

#[derive(Clone)]
struct Opened {
    keys: Arc<[String; KEYS.len()]>,
    /// The rules of the line if it must begin anew.
    rules: Rules,
}

impl RedisWaitingRoom {
    /// Lines on that server, whose clock decides. Of a cluster one node has to answer.
    pub async fn connect(
        options: &RedisOptions,
        patience: Patience,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Fault> {
        let link = Link::open(options).await?;
        let prefix = options.prefix.clone();
        Ok(Self {
            link,
            script: Script::new(&LINE),
            prefix,
            patience,
            entropy,
            clock: None,
            shows: Mutex::default(),
        })
    }

    /// The same on another clock than the server's: for tests and simulations, which run ahead of
    /// it.
    #[must_use]
    pub fn on_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    fn shows(&self) -> MutexGuard<'_, HashMap<ShowId, Opened>> {
        self.shows.lock()
    }

    fn notice_key(&self, show: &ShowId) -> String {
        format!("{}:{{{}}}:notice", self.prefix, tag(show))
    }

    fn named(&self, show: &ShowId, rules: Rules) -> Opened {
        let name = format!("{}:{{{}}}", self.prefix, tag(show));
        Opened { keys: Arc::new(KEYS.map(|key| format!("{name}:{key}"))), rules }
    }

    fn opened(&self, show: &ShowId) -> Result<Opened, Fault> {
        let opened = self.shows().get(show).cloned();
        opened.ok_or_else(|| Fault::permanent(format!("the line of show {show} was not opened")))
    }

    /// Records the rules, also for a line that begins anew.
    fn remember(&self, show: &ShowId, rules: Rules) {
        if let Some(opened) = self.shows().get_mut(show) {
            opened.rules = rules;
        }
    }

    /// Runs one command. Returns the clock's time and the rest of the answer.
    async fn run(
        &self,
        opened: &Opened,
        command: &'static str,
        arguments: &[String],
    ) -> Result<(Timestamp, Vec<Value>), Fault> {
        let (part, deadline) = (&*opened.keys[0], self.link.deadline());
        let call = || self.call("EVALSHA", self.script.get_hash(), opened, command, arguments);
        let mut answer = self.link.run(part, deadline, call).await;
        if answer.as_ref().is_err_and(|why| why.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            // The server caches scripts that it has run. The library would load it, in a cluster to
            // every node, of which none may be down.
            let call = || self.call("EVAL", &LINE, opened, command, arguments);
            answer = self.link.run(part, deadline, call).await;
        }
        let answer = answer.map_err(|why| fault(command, why))?;
        let Value::Array(parts) = answer else { return Err(unexpected(command)) };
        match <[Value; 2]>::try_from(parts) {
            Ok([Value::Int(now), Value::Array(rest)]) => Ok((millis(now), rest)),
            _ => Err(unexpected(command)),
        }
    }

    fn call(
        &self,
        how: &str,
        script: &str,
        opened: &Opened,
        command: &str,
        arguments: &[String],
    ) -> redis::Cmd {
        let now = self.clock.as_ref().map(|clock| clock.now().as_millis().to_string());
        let Rules { rate, burst, paused, closed, capacity } = opened.rules;
        let Patience { grace, prompt, ready_for, pass_for, memory } = self.patience;
        let mut call = redis::cmd(how);
        call.arg(script).arg(KEYS.len()).arg(&opened.keys[..]);
        call.arg(command).arg(now.unwrap_or_default()).arg(self.entropy.next_u64().to_string());
        call.arg(rate).arg(burst).arg(u8::from(paused)).arg(u8::from(closed)).arg(capacity);
        for long in [grace, prompt, ready_for, pass_for, memory] {
            call.arg(long.as_millis() as u64);
        }
        call.arg(arguments);
        call
    }
}

fn millis(value: i64) -> Timestamp {
    Timestamp::from_millis(value.max(0) as u64)
}

fn unexpected(command: &str) -> Fault {
    Fault::permanent(format!("redis: {command}: an answer that is not the script's"))
}

/// The integers of an answer that contains nothing else.
fn numbers(command: &str, values: &[Value]) -> Result<Vec<u64>, Fault> {
    let number = |value: &Value| match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    values.iter().map(number).collect::<Option<_>>().ok_or_else(|| unexpected(command))
}

fn standing(reply: &[u64]) -> Option<Standing> {
    let [kind, at, until] = *reply else { return None };
    let (at, until) = (Timestamp::from_millis(at), Timestamp::from_millis(until));
    Some(match kind {
        0 => Standing::Waiting,
        1 => Standing::Ready { until },
        2 => Standing::Entered { at, until },
        3 => Standing::Left,
        4 => Standing::Expired,
        _ => return None,
    })
}

fn rules(reply: &[u64]) -> Option<Rules> {
    let [rate, burst, paused, closed, capacity] = *reply else { return None };
    let (rate, burst) = (u32::try_from(rate).ok()?, u32::try_from(burst).ok()?);
    Some(Rules { rate, burst, paused: paused == 1, closed: closed == 1, capacity })
}

fn ticket(ticket: &Ticket) -> [String; 3] {
    [ticket.number.to_string(), ticket.key.to_string(), ticket.joined_at.as_millis().to_string()]
}

/// A name that no other show has, without the braces that mark a hash tag.
fn tag(show: &ShowId) -> String {
    show.as_str().replace('%', "%25").replace('{', "%7B").replace('}', "%7D")
}

#[async_trait]
impl WaitingRoomStore for RedisWaitingRoom {
    async fn open(&self, show: &ShowId, wanted: Rules) -> Result<Rules, Fault> {
        let opened = self.named(show, wanted.with(RuleChange::default()));
        let (_, reply) = self.run(&opened, "open", &[]).await?;
        let held = rules(&numbers("open", &reply)?).ok_or_else(|| unexpected("open"))?;
        self.shows().insert(show.clone(), Opened { rules: held, ..opened });
        Ok(held)
    }

    async fn find(&self, show: &ShowId) -> Result<Option<Rules>, Fault> {
        // No line begins with these.
        let (_, reply) = self.run(&self.named(show, Rules::at(1)), "find", &[]).await?;
        let reply = numbers("find", &reply)?;
        if reply.is_empty() { Ok(None) } else { rules(&reply).map(Some).ok_or_else(|| unexpected("find")) }
    }

    async fn join(&self, show: &ShowId, key: &str) -> Result<Ticket, PortError<Refusal>> {
        if key.is_empty() || key.len() > PERSON_KEY_BYTES_MAX {
            let why = format!("a key of {} bytes: it has 1 to {PERSON_KEY_BYTES_MAX}", key.len());
            return Err(Fault::permanent(why).into());
        }
        let (_, reply) = self.run(&self.opened(show)?, "join", &[key.to_owned()]).await?;
        match *numbers("join", &reply)? {
            [0, number, joined_at] => {
                Ok(Ticket { number, key: key.into(), joined_at: Timestamp::from_millis(joined_at) })
            }
            [1] => Err(PortError::Rejected(Refusal::Closed)),
            [2] => Err(PortError::Rejected(Refusal::Full)),
            _ => Err(unexpected("join").into()),
        }
    }

    async fn beat(&self, show: &ShowId, tickets: &[Ticket]) -> Result<Dated<Vec<Standing>>, Fault> {
        if tickets.is_empty() || tickets.len() > BEATS_MAX {
            let why = format!("{} signs of life: a call has 1 to {BEATS_MAX}", tickets.len());
            return Err(Fault::permanent(why));
        }
        let arguments: Vec<_> = tickets.iter().flat_map(ticket).collect();
        let (at, reply) = self.run(&self.opened(show)?, "beat", &arguments).await?;
        let reply = numbers("beat", &reply)?;
        let answer: Option<Vec<_>> = reply.chunks(3).map(standing).collect();
        match answer {
            Some(answer) if answer.len() == tickets.len() => Ok(Dated { at, answer }),
            _ => Err(unexpected("beat")),
        }
    }

    async fn enter(&self, show: &ShowId, one: &Ticket) -> Result<Dated<Standing>, Fault> {
        let (at, reply) = self.run(&self.opened(show)?, "enter", &ticket(one)).await?;
        let answer = standing(&numbers("enter", &reply)?).ok_or_else(|| unexpected("enter"))?;
        Ok(Dated { at, answer })
    }

    async fn leave(&self, show: &ShowId, one: &Ticket) -> Result<Standing, Fault> {
        let (_, reply) = self.run(&self.opened(show)?, "leave", &ticket(one)).await?;
        standing(&numbers("leave", &reply)?).ok_or_else(|| unexpected("leave"))
    }

    async fn tick(&self, show: &ShowId, since: Option<(u64, u64)>) -> Result<Ticked, Fault> {
        let (incarnation, version) = since.map_or_else(Default::default, |(incarnation, version)| {
            (incarnation.to_string(), version.to_string())
        });
        let (at, reply) = self.run(&self.opened(show)?, "tick", &[incarnation, version]).await?;
        let ticked = ticked(at, &reply).ok_or_else(|| unexpected("tick"))?;
        self.remember(show, ticked.snapshot.rules);
        Ok(ticked)
    }

    async fn rule(&self, show: &ShowId, change: RuleChange) -> Result<Rules, Fault> {
        let opened = self.opened(show)?;
        let clamped = opened.rules.with(change);
        let text = |is_given: bool, value: u64| if is_given { value.to_string() } else { String::new() };
        let arguments = [
            text(change.rate.is_some(), clamped.rate.into()),
            text(change.burst.is_some(), clamped.burst.into()),
            text(change.paused.is_some(), clamped.paused.into()),
            text(change.closed.is_some(), clamped.closed.into()),
            text(change.capacity.is_some(), clamped.capacity),
        ];
        let (_, reply) = self.run(&opened, "rule", &arguments).await?;
        let rules = rules(&numbers("rule", &reply)?).ok_or_else(|| unexpected("rule"))?;
        self.remember(show, rules);
        Ok(rules)
    }

    async fn announce(&self, show: &ShowId, notice: Option<&str>) -> Result<(), Fault> {
        let key = self.notice_key(show);
        let call = || match notice {
            Some(notice) => {
                redis::cmd("SET").arg(&key).arg(notice).arg("EX").arg(NOTICE_FOR.as_secs()).take()
            }
            None => redis::cmd("DEL").arg(&key).take(),
        };
        let answer = self.link.run(&key, self.link.deadline(), call).await;
        answer.map(drop).map_err(|why| fault("announce", why))
    }

    async fn notice(&self, show: &ShowId) -> Result<Option<String>, Fault> {
        let key = self.notice_key(show);
        let call = || redis::cmd("GET").arg(&key).take();
        let answer = self.link.run(&key, self.link.deadline(), call).await;
        match answer.map_err(|why| fault("notice", why))? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            _ => Err(unexpected("notice")),
        }
    }
}

fn ticked(at: Timestamp, reply: &[Value]) -> Option<Ticked> {
    let (incarnation, reply) = reply.split_first()?;
    let Value::BulkString(incarnation) = incarnation else { return None };
    let incarnation = core::str::from_utf8(incarnation).ok()?.parse().ok()?;
    let reply = numbers("tick", reply).ok()?;
    let (scalars, blocks) = reply.split_at_checked(20)?;
    let [version, head, high, last, ..] = *scalars else { return None };
    let [joined, waiting, absent, ready, entered, left, expired, turns, cleared, more, is_busy] =
        scalars[9..]
    else {
        return None;
    };
    let snapshot = Snapshot {
        incarnation,
        version,
        at,
        head,
        high,
        last,
        rules: rules(&scalars[4..9])?,
        totals: Totals { joined, waiting, absent, ready, entered, left, expired, turns },
        blocks: blocks.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        cleared,
        more: more == 1,
    };
    Some(Ticked { snapshot, is_busy: is_busy == 1 })
}

//! Rotated keys, forged key ids, and a failing provider.

use crate::forge::{base64url, claims, clock, key_set, options};
use crate::vectors::*;
use async_trait::async_trait;
use bytes::Bytes;
use core::time::Duration;
use identity::{
    FETCH_EVERY, FETCH_GAP, FETCH_LIMIT, KEY_SET_BYTES_MAX, KeySource, KeyState, Person, Refresher, Rejected,
    Verifier, WAITING_MAX,
};
use ports::{Fault, Tasks};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use testkit::ManualClock;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A provider that the test controls: it counts fetches, and holds them while its gate is shut.
struct Provider {
    answer: Mutex<Result<String, String>>,
    fetches: AtomicUsize,
    in_the_air: AtomicUsize,
    most_in_the_air: AtomicUsize,
    gate: Semaphore,
}

struct Flying<'p>(&'p AtomicUsize);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl KeySource for Provider {
    async fn fetch(&self) -> Result<Bytes, Fault> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let now = self.in_the_air.fetch_add(1, Ordering::SeqCst) + 1;
        let _flying = Flying(&self.in_the_air);
        self.most_in_the_air.fetch_max(now, Ordering::SeqCst);
        let _open = self.gate.acquire().await.unwrap();
        match &*self.answer.lock().unwrap() {
            Ok(keys) => Ok(keys.clone().into()),
            Err(message) => Err(Fault::unavailable(message.clone())),
        }
    }
}

struct Fixture {
    provider: Arc<Provider>,
    clock: Arc<ManualClock>,
    verifier: Verifier,
    states: Arc<Mutex<Vec<KeyState>>>,
    tasks: Tasks,
    shutdown: CancellationToken,
}

impl Fixture {
    /// A provider with these keys, before any fetch.
    fn asleep(keys: &[&str]) -> (Self, Refresher) {
        let provider = Arc::new(Provider {
            answer: Mutex::new(Ok(key_set(keys))),
            fetches: AtomicUsize::new(0),
            in_the_air: AtomicUsize::new(0),
            most_in_the_air: AtomicUsize::new(0),
            gate: Semaphore::new(1_000),
        });
        let clock = clock(Duration::ZERO);
        let (verifier, refresher) = Verifier::new(options(Some(provider.clone())), clock.clone());
        let (states, tasks, shutdown) = (Arc::default(), Tasks::new(), CancellationToken::new());
        (Self { provider, clock, verifier, states, tasks, shutdown }, refresher.unwrap())
    }

    /// As [`Fixture::asleep`], and the task runs.
    fn awake(keys: &[&str]) -> Self {
        let (fixture, refresher) = Self::asleep(keys);
        fixture.start(refresher);
        fixture
    }

    async fn after_the_first_fetch(keys: &[&str]) -> Self {
        let fixture = Self::awake(keys);
        fixture.fetched(1).await;
        fixture
    }

    fn start(&self, refresher: Refresher) {
        let states = self.states.clone();
        let report = move |state| states.lock().unwrap().push(state);
        self.tasks.spawn(refresher.run(self.shutdown.clone(), report));
    }

    fn publish(&self, keys: &[&str]) {
        *self.provider.answer.lock().unwrap() = Ok(key_set(keys));
    }

    fn fail(&self, message: &str) {
        *self.provider.answer.lock().unwrap() = Err(message.into());
    }

    fn fetches(&self) -> usize {
        self.provider.fetches.load(Ordering::SeqCst)
    }

    /// Shuts the gate; dropping the permit opens it again.
    async fn shut(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.provider.gate.acquire_many(1_000).await.unwrap()
    }

    fn state(&self) -> KeyState {
        self.states.lock().unwrap().last().unwrap().clone()
    }

    /// Waits until this many fetches have ended and every task waits for the clock.
    async fn fetched(&self, fetches: usize) {
        until("fetched", || self.states.lock().unwrap().len() > fetches).await;
        settle().await;
        assert_eq!(self.fetches(), fetches);
    }

    /// A request that has run as far as it can without the clock.
    async fn request(&self, token: &str) -> Arc<Mutex<Option<Result<Person, Rejected>>>> {
        let (verifier, token, answer) = (self.verifier.clone(), token.to_owned(), Arc::new(Mutex::new(None)));
        let slot = answer.clone();
        self.tasks.spawn(async move {
            let verified = verifier.authenticate(&token).await;
            *slot.lock().unwrap() = Some(verified);
        });
        settle().await;
        answer
    }
}

/// Lets every task of this thread run as far as it can: each waits only for the others and the
/// clock.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never came true: {what}");
}

fn forged(kid: usize) -> String {
    let header = format!(r#"{{"alg":"RS256","kid":"forged-{kid}"}}"#);
    format!("{}.{}.{}", base64url(header), base64url(claims()), base64url([7_u8; 256]))
}

fn answer(of: &Mutex<Option<Result<Person, Rejected>>>) -> Option<Result<String, Rejected>> {
    of.lock().unwrap().clone().map(|verified| verified.map(|person| person.id.to_string()))
}

fn kim() -> Option<Result<String, Rejected>> {
    Some(Ok("kim".into()))
}

#[tokio::test]
async fn a_new_key_is_accepted_at_the_first_token_that_names_it() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    fixture.clock.advance(FETCH_GAP);
    fixture.publish(&[RSA_A, RSA_B]);
    assert_eq!(fixture.verifier.verify(RS256_B), Err(Rejected::UnknownKey), "without a fetch");
    assert_eq!(fixture.verifier.authenticate(RS256_B).await.unwrap().id.as_str(), "kim");
    assert_eq!(fixture.fetches(), 2);
    for token in [RS256_A, RS256_B, HS256] {
        assert!(fixture.verifier.authenticate(token).await.is_ok());
    }
    assert_eq!(fixture.fetches(), 2, "known keys ask for nothing");
}

#[tokio::test]
async fn keys_are_fetched_regularly_and_withdrawn_keys_are_dropped() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A, RSA_B]).await;
    assert!(fixture.verifier.verify(RS256_A).is_ok());
    fixture.publish(&[RSA_B, EC_A]);
    fixture.clock.advance(FETCH_EVERY - Duration::from_millis(1));
    settle().await;
    assert_eq!(fixture.fetches(), 1);
    assert!(fixture.verifier.verify(RS256_A).is_ok(), "until the next fetch");
    fixture.clock.advance(Duration::from_millis(1));
    fixture.fetched(2).await;
    assert_eq!(fixture.verifier.verify(RS256_A), Err(Rejected::UnknownKey));
    assert!(fixture.verifier.verify(RS256_B).is_ok() && fixture.verifier.verify(ES256).is_ok());
    fixture.publish(&[]);
    fixture.clock.advance(FETCH_EVERY);
    fixture.fetched(3).await;
    assert_eq!(fixture.verifier.verify(RS256_B), Err(Rejected::UnknownKey), "no keys are an answer too");
    assert!(fixture.state().ready().unwrap_err().contains("no key"));
}

#[tokio::test]
async fn many_requests_share_one_fetch() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    fixture.clock.advance(FETCH_GAP);
    fixture.publish(&[RSA_B]);
    let gate = fixture.shut().await;
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(fixture.request(RS256_B).await);
    }
    assert!(answers.iter().all(|waiting| answer(waiting).is_none()));
    assert_eq!(fixture.fetches(), 2);
    drop(gate);
    fixture.fetched(2).await;
    assert!(answers.iter().all(|answered| answer(answered) == kim()));
    assert_eq!(fixture.provider.most_in_the_air.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn forged_names_do_not_hammer_the_provider() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    let step = Duration::from_millis(50);
    let steps = 2_400;
    for kid in 0..steps {
        let refused = fixture.request(&forged(kid)).await;
        assert_eq!(answer(&refused), Some(Err(Rejected::UnknownKey)));
        fixture.clock.advance(step);
    }
    let time = step * u32::try_from(steps - 1).unwrap();
    let most = 1 + time.as_secs() / FETCH_GAP.as_secs();
    assert_eq!(fixture.fetches() as u64, most, "in {time:?}");
    assert_eq!(fixture.provider.most_in_the_air.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_stop_the_fetch() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    fixture.clock.advance(FETCH_GAP);
    fixture.publish(&[RSA_B]);
    let gate = fixture.shut().await;
    let token = forged(1);
    let mut hanging_up = Box::pin(fixture.verifier.authenticate(&token));
    tokio::select! {
        biased;
        _ = &mut hanging_up => panic!("it waits"),
        () = settle() => {}
    }
    drop(hanging_up);
    drop(gate);
    fixture.fetched(2).await;
    assert!(fixture.verifier.verify(RS256_B).is_ok());
}

#[tokio::test]
async fn a_provider_that_fails_leaves_the_keys_and_is_asked_again() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    assert_eq!(fixture.state(), KeyState { keys: 1, trouble: None });
    fixture.fail("connection refused");
    fixture.clock.advance(FETCH_EVERY);
    fixture.fetched(2).await;
    for fetches in 3..10 {
        fixture.clock.advance(FETCH_GAP - Duration::from_millis(1));
        settle().await;
        assert_eq!(fixture.fetches(), fetches - 1, "not sooner");
        fixture.clock.advance(Duration::from_millis(1));
        fixture.fetched(fetches).await;
        assert!(fixture.verifier.verify(RS256_A).is_ok());
    }
    let state = fixture.state();
    assert_eq!(state.to_string(), "1 known from an earlier fetch: connection refused");
    assert_eq!(state.ready(), Ok(()));
    fixture.publish(&[RSA_B]);
    fixture.clock.advance(FETCH_GAP);
    fixture.fetched(10).await;
    assert_eq!(fixture.state(), KeyState { keys: 1, trouble: None });
    assert_eq!(fixture.verifier.verify(RS256_A), Err(Rejected::UnknownKey));
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_changes_nothing() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(KEY_SET_BYTES_MAX));
    let answers =
        ["", "<html>", "[]", "[[]]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[]"#, &huge];
    for (at, text) in answers.iter().enumerate() {
        *fixture.provider.answer.lock().unwrap() = Ok((*text).to_owned());
        fixture.clock.advance(FETCH_EVERY);
        fixture.fetched(at + 2).await;
        assert!(fixture.state().trouble.is_some(), "{text}");
        assert!(fixture.verifier.verify(RS256_A).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_given_up_and_so_is_waiting_for_it() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    fixture.clock.advance(FETCH_GAP);
    let gate = fixture.shut().await;
    let waiting = fixture.request(RS256_B).await;
    fixture.clock.advance(FETCH_LIMIT - Duration::from_millis(1));
    settle().await;
    assert_eq!(answer(&waiting), None);
    fixture.clock.advance(Duration::from_millis(1));
    fixture.fetched(2).await;
    assert_eq!(answer(&waiting), Some(Err(Rejected::UnknownKey)));
    assert!(fixture.state().trouble.unwrap().contains("6s"));
    assert_eq!(fixture.provider.in_the_air.load(Ordering::SeqCst), 0, "it was dropped");
    assert!(fixture.verifier.verify(RS256_A).is_ok());
    drop(gate);
    fixture.publish(&[RSA_A, RSA_B]);
    fixture.clock.advance(FETCH_GAP);
    fixture.fetched(3).await;
    assert!(fixture.verifier.verify(RS256_B).is_ok());
}

#[tokio::test]
async fn the_number_of_waiting_requests_is_limited() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    fixture.clock.advance(FETCH_GAP);
    let gate = fixture.shut().await;
    let token = forged(1);
    let mut waiting = Vec::new();
    for _ in 0..WAITING_MAX {
        let mut request = Box::pin(fixture.verifier.authenticate(&token));
        tokio::select! {
            biased;
            _ = &mut request => panic!("it waits"),
            () = core::future::ready(()) => {}
        }
        waiting.push(request);
    }
    assert_eq!(fixture.verifier.authenticate(&token).await, Err(Rejected::UnknownKey), "and at once");
    waiting.pop();
    let next = fixture.request(&token).await;
    assert_eq!(answer(&next), None, "there is a place again");
    drop(gate);
    settle().await;
    assert_eq!(answer(&next), Some(Err(Rejected::UnknownKey)));
}

#[tokio::test]
async fn before_the_first_fetch_a_request_waits_for_it() {
    let (fixture, refresher) = Fixture::asleep(&[RSA_A]);
    assert!(refresher.state().ready().unwrap_err().contains("not asked yet"));
    let gate = fixture.shut().await;
    let early = fixture.request(RS256_A).await;
    fixture.start(refresher);
    let waiting = fixture.request(RS256_A).await;
    assert_eq!((answer(&early), answer(&waiting)), (None, None));
    assert!(fixture.verifier.authenticate(HS256).await.is_ok(), "the secret needs no provider");
    drop(gate);
    fixture.fetched(1).await;
    assert_eq!((answer(&early), answer(&waiting)), (kim(), kim()));
}

#[tokio::test]
async fn a_request_does_not_wait_for_a_task_that_has_ended() {
    let fixture = Fixture::after_the_first_fetch(&[RSA_A]).await;
    fixture.clock.advance(FETCH_GAP);
    fixture.shutdown.cancel();
    fixture.tasks.finished().await;
    assert_eq!(fixture.verifier.authenticate(RS256_B).await, Err(Rejected::UnknownKey));
    assert!(fixture.verifier.authenticate(RS256_A).await.is_ok());
}

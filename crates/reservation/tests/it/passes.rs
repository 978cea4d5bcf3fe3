//! Passes of the waiting room: redeemed once, by their owner, for their show, in the commit of the
//! reservation (trap T-W1, invariant W4).

use crate::fixture::{Fixture, PASS_SECRET, code, floor, person};
use crate::inventory::show;
use contracts::pass::{self, Pass};
use core::time::Duration;
use domain::id::ShowId;
use futures_util::future::join_all;
use ports::{Clock, Trace};
use reservation::request::Create;
use reservation::rows::AnyRow;
use runtime::Refusal as _;

/// A request with a valid pass of this id.
pub(crate) fn with_pass(fixture: &Fixture, create: Create, id: &str) -> Create {
    let pass = good_pass(fixture, &create, id);
    Create { pass: Some(pass::sign(PASS_SECRET.as_bytes(), &pass).into()), ..create }
}

fn good_pass(fixture: &Fixture, create: &Create, id: &str) -> Pass {
    let expires_at = fixture.clock.now().plus(Duration::from_secs(30));
    Pass { id: id.into(), show: create.show.clone(), person: create.person.clone(), expires_at }
}

#[tokio::test]
async fn a_pass_is_redeemed_in_the_commit_of_the_reservation() {
    let fixture = Fixture::behind_a_waiting_room();
    let create = with_pass(&fixture, floor("k", "kim", 2), "show:7");
    let answer = fixture.service.create(&create, &Trace::default()).await.unwrap();
    let rows = fixture.rows().await;
    assert_eq!(rows.len(), 4, "reservation, record, event, pass");
    let Some(row) = rows.iter().find_map(|row| match AnyRow::read(row) {
        Some(AnyRow::Pass(row)) => Some(row),
        _ => None,
    }) else {
        panic!("no row of a pass")
    };
    assert_eq!(
        (&*row.id, row.show, row.person, row.reservation),
        ("show:7", show(), person("kim"), answer.placed.id)
    );
    assert_eq!(row.redeemed_at, fixture.clock.now());
    assert!(fixture.process.metrics.render().contains("waiting_room_passes_total{outcome=\"redeemed\"} 1"));
}

/// The same request once more gets the same answer, also when the pass is over.
#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time_long_after_its_pass() {
    let fixture = Fixture::behind_a_waiting_room();
    let create = with_pass(&fixture, floor("k", "kim", 2), "1");
    let first = fixture.service.create(&create, &Trace::default()).await.unwrap();
    fixture.clock.advance(Duration::from_secs(31));
    let again = fixture.service.create(&create, &Trace::default()).await.unwrap();
    assert_eq!((again.placed, again.recorded), (first.placed, true));
    // Without an Idempotency-Key the pass itself is the key.
    let create = with_pass(&fixture, Create { key: None, ..floor("none", "lee", 1) }, "2");
    let first = fixture.service.create(&create, &Trace::default()).await.unwrap();
    let again = fixture.service.create(&create, &Trace::default()).await.unwrap();
    assert_eq!((again.placed, again.recorded), (first.placed, true));
}

#[tokio::test]
async fn a_show_with_a_waiting_room_is_not_entered_without_a_valid_pass() {
    let fixture = Fixture::behind_a_waiting_room();
    let create = floor("k", "kim", 2);
    let good = good_pass(&fixture, &create, "1");
    let signed = |pass: &Pass| Some(pass::sign(PASS_SECRET.as_bytes(), pass));
    let other_show = Pass { show: ShowId::parse("another").unwrap(), ..good.clone() };
    let other_person = Pass { person: person("lee"), ..good.clone() };
    let expired = Pass { expires_at: fixture.clock.now(), ..good.clone() };
    for (text, reason) in [
        (None, "missing"),
        (Some("made-up".to_owned()), "malformed"),
        (Some(pass::sign(b"another secret of theirs", &good)), "wrong_signature"),
        (Some(signed(&good).unwrap().replace("p1.", "p2.")), "malformed"),
        (signed(&expired), "expired"),
        (signed(&other_show), "other_show"),
        (signed(&other_person), "other_person"),
    ] {
        let create = Create { pass: text.map(Into::into), ..create.clone() };
        let reply = fixture.service.create(&create, &Trace::default()).await.unwrap_err().reply();
        assert_eq!(
            (reply.http_status().as_u16(), reply.error().code.as_str()),
            (403, "FORBIDDEN"),
            "{reason}"
        );
        let line = format!("waiting_room_passes_total{{outcome=\"{reason}\"}}");
        assert!(fixture.process.metrics.render().contains(&line), "{reason}");
    }
    assert!(fixture.inventory.calls().is_empty() && fixture.rows().await.is_empty());
}

/// A show that requires no pass ignores one.
#[tokio::test]
async fn a_show_without_a_waiting_room_redeems_no_pass() {
    let fixture = Fixture::new();
    let create = with_pass(&fixture, floor("k", "kim", 2), "1");
    fixture.service.create(&create, &Trace::default()).await.unwrap();
    assert_eq!(fixture.rows().await.len(), 3);
}

/// Invariant W4. A spent pass holds no other seats.
#[tokio::test]
async fn a_pass_is_redeemed_once() {
    let fixture = Fixture::behind_a_waiting_room();
    let pass = with_pass(&fixture, floor("k", "kim", 1), "1").pass;
    let wish = |n: u32| Create { pass: pass.clone(), ..floor(&format!("k{n}"), "kim", 1) };
    let wishes: Vec<_> = (0..8).map(wish).collect();
    let answers =
        join_all(wishes.iter().map(|wish| async { fixture.service.create(wish, &Trace::default()).await }))
            .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(code(answer), "FORBIDDEN");
    }
    assert_eq!(fixture.rows().await.len(), 4, "of one reservation");
    assert_eq!(fixture.live_holds(), 1, "the others have given their seats back");
    fixture.inventory.calls();
    assert_eq!(code(fixture.service.create(&wish(99), &Trace::default()).await), "FORBIDDEN");
    assert!(fixture.inventory.calls().is_empty(), "no seats are held for it");
    fixture.check().await;
}

/// Trap T-T14 with a pass: no duplicate is refused because its own pass was used.
#[tokio::test]
async fn concurrent_duplicates_with_a_pass_get_one_answer() {
    let fixture = Fixture::behind_a_waiting_room();
    for round in 0..5 {
        let create = with_pass(&fixture, floor(&format!("k{round}"), "kim", 1), &round.to_string());
        let tries =
            (0..16).map(|_| async { fixture.service.create(&create, &Trace::default()).await.unwrap() });
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|answer| answer.placed == answers[0].placed));
    }
    assert_eq!(fixture.rows().await.len(), 20);
}

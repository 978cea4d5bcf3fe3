use super::*;
use domain::time::Timestamp;

fn ticket(number: u64) -> Ticket {
    Ticket { number, key: format!("u:{number}").into(), joined_at: Timestamp::from_millis(0) }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn entered() -> Standing {
    Standing::Entered { at: Timestamp::from_millis(1), until: Timestamp::from_millis(30_001) }
}

#[test]
fn a_hundred_polls_of_a_person_are_one_sign_of_life_every_ten_seconds() {
    let beats = Beats::default();
    let mut sent = 0;
    for tenth in 0..=200 {
        let now = Duration::from_millis(tenth * 100);
        assert!(matches!(beats.record(&ticket(7), false, now), Heard::InLine));
        sent += beats.take(now).len();
    }
    assert_eq!(sent, 3, "at 0, 10 and 20 seconds");
}

#[test]
fn a_question_is_answered_with_the_next_call_and_the_front_goes_first() {
    let beats = Beats::default();
    let number = BEATS_MAX as u64 + 1;
    for number in (1..=number).rev() {
        beats.record(&ticket(number), false, s(1));
    }
    let Heard::Asked(mut answer) = beats.record(&ticket(3), true, s(1)) else {
        panic!("the counts do not say")
    };
    let call = beats.take(s(1));
    assert_eq!(call.len(), BEATS_MAX);
    assert!(call.iter().map(|ticket| ticket.number).eq(1..=BEATS_MAX as u64));
    beats.answered(&call, &vec![Standing::Waiting; call.len()]);
    assert_eq!(answer.try_recv(), Ok(Standing::Waiting));
    assert_eq!(beats.take(s(2)), [ticket(number)]);
}

#[tokio::test]
async fn a_full_batch_is_sent_at_once_and_half_a_batch_waits_for_more() {
    let beats = Beats::default();
    beats.record(&ticket(1), false, s(1));
    assert_eq!(beats.work().await, Haste::None);
    beats.record(&ticket(2), true, s(1));
    assert_eq!(beats.haste().await, Haste::Some);
    for number in 3..=BEATS_MAX as u64 {
        beats.record(&ticket(number), false, s(1));
    }
    assert_eq!(beats.haste().await, Haste::Full);
    beats.take(s(1));
    assert_eq!(beats.due(), 0);
}

/// Found by simulation: for up to ten seconds the store did not hear of a person who waited and
/// had had a turn before.
#[test]
fn after_a_loss_the_next_sign_of_life_of_a_person_who_had_a_turn_is_sent_at_once() {
    let beats = Beats::default();
    beats.record(&ticket(3), false, s(1));
    assert_eq!(beats.take(s(1)), [ticket(3)]);
    beats.again(5, s(2));
    assert_eq!(beats.take(s(2)), [], "they ask by themselves");
    beats.record(&ticket(3), false, s(3));
    assert_eq!(beats.take(s(3)), [ticket(3)]);
}

#[test]
fn unanswered_signs_of_life_are_sent_again_and_no_caller_is_kept_waiting() {
    let beats = Beats::default();
    let Heard::Asked(mut answer) = beats.record(&ticket(3), true, s(1)) else {
        panic!("the counts do not say")
    };
    let call = beats.take(s(1));
    beats.unanswered(call, true);
    assert!(answer.try_recv().is_err());
    let call = beats.take(s(1));
    assert_eq!(call, [ticket(3)]);
    beats.unanswered(call, false);
    assert!(beats.take(s(1)).is_empty());
}

#[test]
fn callers_that_go_away_leave_nothing_behind() {
    let beats = Beats::default();
    for _ in 0..1_000 {
        drop(beats.record(&ticket(3), true, s(1)));
    }
    assert_eq!(beats.lock().people.get(3).map(|person| person.asking.len()), Some(1));
}

#[test]
fn after_a_loss_recent_waiters_are_sent_again_in_the_order_of_the_line() {
    let beats = Beats::default();
    for number in [5, 2, 9, 7] {
        beats.record(&ticket(number), false, s(number));
    }
    beats.take(s(9));
    beats.record_standing(&ticket(7), Standing::Left, s(9));
    beats.again(1, s(33));
    assert_eq!(beats.take(s(33)), [ticket(5), ticket(9)], "2 was heard from 31 s ago, 7 has left");
    beats.again(5, s(33));
    assert_eq!(beats.take(s(33)), [ticket(9)], "5 had a turn before: they ask by themselves");
}

/// They would return in front of everybody.
#[test]
fn people_whose_wait_ended_are_never_sent_to_the_store_again() {
    let beats = Beats::default();
    for (number, standing) in [(3, Standing::Left), (4, Standing::Expired), (5, entered())] {
        beats.record(&ticket(number), false, s(1));
        beats.take(s(1));
        beats.record_standing(&ticket(number), standing, s(1));
        beats.again(0, s(2));
        for second in 2..100 {
            let heard = beats.record(&ticket(number), true, s(second));
            assert!(matches!(heard, Heard::Ended(ended) if ended == standing), "{heard:?}");
            beats.forget(s(second));
            assert!(beats.take(s(second)).is_empty());
        }
    }
}

/// What is known about one of them is never reported to the other.
#[test]
fn two_with_one_number_are_two_people() {
    let beats = Beats::default();
    let other = Ticket { key: "u:other".into(), ..ticket(3) };
    beats.record(&ticket(3), false, s(1));
    beats.record_standing(&ticket(3), entered(), s(1));
    assert_eq!(beats.last(&other), None);
    let Heard::Asked(mut answer) = beats.record(&other, true, s(2)) else { panic!("the counts do not say") };
    let call = beats.take(s(2));
    assert_eq!(call, std::slice::from_ref(&other));
    beats.record_standing(&ticket(3), entered(), s(2));
    assert!(matches!(beats.record(&other, true, s(2)), Heard::Asked(_)), "the first one's end is not theirs");
    beats.answered(&[ticket(3)], &[entered()]);
    assert!(answer.try_recv().is_err());
    assert_eq!(beats.last(&other), None);
}

#[test]
fn people_not_heard_from_are_forgotten() {
    let beats = Beats::default();
    beats.record(&ticket(3), false, s(1));
    for second in 2..70 {
        beats.record(&ticket(4), false, s(second));
        beats.forget(s(second));
    }
    assert_eq!(beats.people(), 1);
    assert_eq!(beats.last(&ticket(3)), None);
}

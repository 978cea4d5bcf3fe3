//! A whole sale: 30,000 people at once, some of whom vanish.

use super::*;

/// Traps T-W2 and T-W3. Each person asks every two seconds; a twentieth stops within the first ten
/// seconds.
#[test]
fn thirty_thousand_come_a_twentieth_vanishes_and_the_line_drains() {
    const PEOPLE: usize = 30_000;
    const RATE: u32 = 1_000;
    let start = Timestamp::from_millis(1_750_000_000_000);
    let patience = Patience::default();
    let mut line = Line::new(1, Rules::at(RATE), patience, start);
    let mut dice = SplitMix64::new(7);
    let tickets: Vec<_> =
        (0..PEOPLE).map(|n| line.join(&format!("u:{n}"), start).expect("it is open")).collect();
    let vanishes: Vec<_> = (0..PEOPLE).map(|_| (dice.below(20) == 0).then(|| dice.below(10_000))).collect();
    let is_there = |n: usize, ms: u64| vanishes[n].is_none_or(|at| ms < at);
    let (mut places, mut since, mut shown) = (Places::default(), None, vec![u64::MAX; PEOPLE]);
    let (mut order, mut ended_at) = (Vec::new(), 0);
    for step in 0.. {
        let ms = step * 250;
        let now = start.plus(Duration::from_millis(ms));
        while line.tick(now) {}
        loop {
            let snapshot = line.snapshot(since, now);
            since = Some((snapshot.incarnation, snapshot.version));
            places.update(snapshot.head, snapshot.cleared, snapshot.blocks.iter().copied());
            if !snapshot.more {
                break;
            }
        }
        // People silent for longer than the grace stand in front of nobody.
        let oldest = line.seen.first().map(|(seen, _)| *seen);
        assert!(oldest.is_none_or(|seen| now.since(seen) <= patience.grace), "{ms} ms");
        for n in (step as usize % 8..PEOPLE).step_by(8) {
            if shown[n] == 0 || !is_there(n, ms) {
                continue;
            }
            match line.beat(&tickets[n], now) {
                Standing::Waiting => {
                    let place = places.ahead_of(tickets[n].number) + 1;
                    assert!(place <= shown[n], "{n} fell back from {} to {place} at {ms} ms", shown[n]);
                    shown[n] = place;
                }
                Standing::Ready { .. } => {
                    assert!(matches!(line.enter(&tickets[n], now), Standing::Entered { .. }));
                    shown[n] = 0;
                    order.push(n);
                    ended_at = ms;
                }
                other => panic!("{n} is {other:?}"),
            }
        }
        if line.totals.waiting == 0 && (0..PEOPLE).all(|n| shown[n] == 0 || vanishes[n].is_some()) {
            break;
        }
        assert!(ms < 120_000, "{:?}", line.totals);
    }
    // A person notices a turn at the next question, at most two seconds later.
    let overtaken = order.iter().enumerate().filter(|(at, n)| **n + 3_000 < *at).count();
    assert_eq!(overtaken, 0);
    assert!((28_000..34_000).contains(&ended_at), "30,000 at 1,000 a second: {ended_at} ms");
}

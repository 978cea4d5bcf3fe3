//! What a buyer asks for, and what becomes of it at the reservations.

use super::buyer::{Buyer, Held, final_answer};
use super::{NAMED, PLACES, SHOW};
use crate::ledger::Promise;
use domain::id::{SeatId, SectionId, ShowId};
use domain::random::Random;
use domain::seat::SeatStatus;
use ports::Trace;
use reservation::request::{Create, IdempotencyKey};
use reservation::{CreateAnswer, Refusal};

/// Times a buyer picks other seats before going home.
const WISHES_MAX: u32 = 4;

/// What a buyer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    show: ShowId,
    section: Option<SectionId>,
    seats: Vec<SeatId>,
    quantity: u32,
}

impl Buyer {
    fn wish(&mut self) -> Wish {
        let plan = &self.crowd.house.plan;
        let (named, places) = (u64::from(plan.named), u64::from(plan.places));
        let quantity = 1 + self.dice.below(4).min(self.dice.below(4));
        let show = name(SHOW);
        if self.dice.below(named + places) < named {
            let quantity = quantity.min(named);
            let first = self.dice.below(named - quantity + 1);
            let seats = (first..first + quantity).map(seat).collect();
            return Wish { show, section: None, seats, quantity: quantity as u32 };
        }
        Wish { show, section: Some(section(PLACES)), seats: Vec::new(), quantity: quantity.min(10) as u32 }
    }

    /// Finds seats; `Some(None)` when there was nothing to buy, `None` when nobody answered.
    pub(super) async fn reserve(&mut self, twice: bool) -> Option<Option<Held>> {
        let mut wish = self.wish();
        for attempt in 0..WISHES_MAX {
            let key = format!("{}-{attempt}", self.person);
            let answer = self.ask_for(&wish, &key).await?;
            if twice {
                let again = self.ask_for(&wish, &key).await?;
                self.compare(&answer, &again);
            }
            match answer {
                Ok(answer) => return Some(Some(self.take(&wish, answer))),
                Err(refusal) => {
                    let code = refusal.reply().error.code;
                    self.core().tell(|| format!("{} is refused: {code:?}", self.person));
                }
            }
            match self.another(&wish).await? {
                Some(other) => wish = other,
                None => return Some(None),
            }
        }
        Some(None)
    }

    async fn ask_for(&self, wish: &Wish, key: &str) -> Option<Result<CreateAnswer, Refusal>> {
        let create = Create {
            show: wish.show.clone(),
            section: wish.section.clone(),
            seats: wish.seats.clone(),
            quantity: wish.quantity,
            person: self.person.clone(),
            pass: None,
            key: IdempotencyKey::parse(key).ok(),
        };
        self.until_answered(|| {
            let (caller, create) = (self.caller.clone(), create.clone());
            async move {
                let handler = |service: reservation::Service| async move {
                    service.create(&create, &Trace::default()).await
                };
                final_answer(caller.call(handler).await)
            }
        })
        .await
    }

    fn take(&mut self, wish: &Wish, answer: CreateAnswer) -> Held {
        let placed = answer.placed;
        let seats: Vec<SeatId> = placed.seats.iter().map(|seat| seat.id.clone()).collect();
        if !wish.seats.is_empty() && wish.seats != seats || seats.len() != wish.quantity as usize {
            self.core().violated("answer", format!("{} asked for {wish:?} and got {seats:?}", self.person));
        }
        self.promise(Promise::Held { reservation: placed.id.clone(), seats });
        Held { reservation: placed.id, total: placed.total }
    }

    /// Same key, same request: the same answer (invariant X2). A refusal is not recorded, so only successes compare.
    fn compare(&self, first: &Result<CreateAnswer, Refusal>, second: &Result<CreateAnswer, Refusal>) {
        if let Ok(first) = first
            && !second.as_ref().is_ok_and(|second| second.placed == first.placed)
        {
            self.core().violated("X2", format!("the same key was answered {first:?} and {second:?}"));
        }
    }

    /// Looks at the plan; `Some(None)` when nothing is free that this buyer would take.
    async fn another(&mut self, wish: &Wish) -> Option<Option<Wish>> {
        let free = self
            .until_answered(|| {
                let caller = self.caller.clone();
                async move {
                    let handler = |service: inventory::Service| async move {
                        let show = ShowId::parse(SHOW).expect("a literal");
                        service.seats(&show, &section(NAMED)).await
                    };
                    match caller.call(handler).await? {
                        Ok(seats) => Ok(seats),
                        Err(ports::PortError::Rejected(_)) => Ok(Vec::new()),
                        Err(ports::PortError::Failed(fault)) => Err(fault),
                    }
                }
            })
            .await?;
        let free: Vec<SeatId> = free
            .into_iter()
            .filter(|seat| seat.status == SeatStatus::Available)
            .map(|seat| seat.id)
            .collect();
        if free.is_empty() || self.dice.below(3) == 0 {
            return Some((self.crowd.house.plan.places > 0).then(|| Wish {
                section: Some(section(PLACES)),
                seats: Vec::new(),
                quantity: 1,
                ..wish.clone()
            }));
        }
        let start = self.dice.below(free.len() as u64) as usize;
        let count = (wish.quantity as usize).min(free.len());
        let seats: Vec<SeatId> = free.iter().cycle().skip(start).take(count).cloned().collect();
        Some(Some(Wish { section: None, quantity: seats.len() as u32, seats, ..wish.clone() }))
    }

    /// Another request under the key of one that was carried out must be refused.
    pub(super) async fn use_the_key_again(&mut self, held: &Held) -> Option<()> {
        let other = Wish { show: name(SHOW), section: Some(section(PLACES)), seats: Vec::new(), quantity: 9 };
        for attempt in 0..WISHES_MAX {
            let key = format!("{}-{attempt}", self.person);
            if let Ok(answer) = self.ask_for(&other, &key).await?
                && answer.placed.id == held.reservation
            {
                let words = format!("{key} belongs to {} and was answered {answer:?}", held.reservation);
                self.core().violated("X2", words);
            }
            if attempt > 0 {
                break;
            }
        }
        Some(())
    }

    /// Requests that can only be refused; nothing of them may stay.
    pub(super) async fn ask_for_nonsense(&mut self) -> Option<()> {
        let (show, nowhere) = (name(SHOW), name("no-such-show"));
        let any = |show, name: &str, quantity| Wish {
            show,
            section: Some(section(name)),
            seats: Vec::new(),
            quantity,
        };
        let wishes = [
            any(nowhere, PLACES, 1),
            any(show.clone(), "no-such-section", 1),
            any(show.clone(), PLACES, 11),
            Wish { show: show.clone(), section: None, seats: vec![seat(999)], quantity: 1 },
            Wish { show: show.clone(), section: None, seats: vec![seat(0), seat(0)], quantity: 2 },
            Wish { show, section: None, seats: vec![seat(0)], quantity: 3 },
        ];
        for (number, wish) in wishes.into_iter().enumerate() {
            if let Ok(answer) = self.ask_for(&wish, &format!("nonsense-{number}")).await? {
                self.core().violated("S6", format!("{wish:?} was answered {answer:?}"));
            }
        }
        Some(())
    }
}

fn seat(index: u64) -> SeatId {
    SeatId::parse(&format!("{NAMED}-1-{}", index + 1)).expect("letters and numbers")
}

fn name(show: &str) -> ShowId {
    ShowId::parse(show).expect("a literal")
}

fn section(name: &str) -> SectionId {
    SectionId::parse(name).expect("a literal")
}

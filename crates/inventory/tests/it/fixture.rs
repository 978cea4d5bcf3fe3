//! A data folder, one or more services on it, and the commands of the tests.

use adapter_embedded::{Engine, EngineOptions};
use core::time::Duration;
use domain::hold::{Rejection, ReleaseCause, Released};
use domain::id::{PaymentIntentId, PersonId, ReservationId, SeatId, SectionId, ShowId};
use domain::invariant::{self, Counts, Owner, Phase};
use domain::money::Currency;
use domain::seat::SeatState;
use domain::show::{Layout, RowRange, Rows, Section, Show};
use inventory::{InventoryMetrics, Options, Service, rows};
use ports::inventory::{CommitSeats, Committed, Held, HoldSeats, ReleaseSeats};
use ports::{CallContext, Clock, Inventory, PortError, Store};
use std::sync::Arc;
use testkit::{FaultyStore, ManualClock, SeededEntropy};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The result of a command.
pub(crate) type Answer<T> = Result<T, PortError<Rejection>>;

/// Rivals step aside for less than this; a test does not wait for them.
const STEP_ASIDE_MAX: Duration = Duration::from_millis(100);

pub(crate) struct Fixture {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) service: Service,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// A service that is alone on its folder, with a show of section `A` (10 named seats) and
    /// `floor` (3 places).
    pub(crate) async fn new() -> Self {
        Self::with(sole()).await
    }

    /// A service that shares its folder with others.
    pub(crate) async fn shared() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let clock = Arc::new(ManualClock::default().skipping_sleeps_below(STEP_ASIDE_MAX));
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), EngineOptions::default(), clock.clone()).unwrap();
        let store = Arc::new(FaultyStore::over(engine.store("inventory").unwrap()));
        let service = service(&store, &clock, options);
        service.create_show(&show("show")).await.unwrap();
        Self { clock, store, service, _folder: folder }
    }

    /// Another service on the same folder.
    pub(crate) fn another(&self, options: Options) -> Service {
        service(&self.store, &self.clock, options)
    }

    /// Checks every invariant on the stored rows, and that these services report exactly them.
    pub(crate) async fn check(&self, services: &[&Service]) {
        for service in services {
            let world = self.snapshot(service).await;
            let report = invariant::check(&world, Phase::Running);
            assert!(report.holds(), "{report:?}");
        }
    }

    async fn snapshot(&self, service: &Service) -> invariant::World {
        let mut world = invariant::World::default();
        let shows = service.shows().await.unwrap();
        for status in &shows {
            for (section, counts) in status.show.sections.iter().zip(&status.counts) {
                world.sections.push(invariant::Section {
                    show: status.show.id.clone(),
                    section: section.id.clone(),
                    capacity: u64::from(section.capacity()),
                    reported: Some(*counts),
                });
            }
        }
        let mut after = None;
        loop {
            let page = self.store.scan(after.as_ref(), 500).await.unwrap();
            for row in &page {
                if row.key.partition.starts_with("hold#") {
                    world.holds.push(rows::read_hold(row).unwrap());
                } else if row.key.partition.starts_with("seats#") {
                    let seat = rows::read_seat(row).unwrap();
                    let show = shows.iter().find(|status| status.show.id == seat.show).unwrap();
                    world.seats.push(invariant::SeatRow {
                        defined: show.show.locate(&seat.id).is_some(),
                        show: seat.show,
                        section: seat.section,
                        seat: seat.id,
                        owner: match seat.seat.state {
                            SeatState::Available => Owner::Free,
                            SeatState::Held { by, .. } => Owner::Held(by),
                            SeatState::Sold { order } => Owner::Sold(order),
                            SeatState::Blocked => Owner::Blocked,
                        },
                    });
                }
            }
            match page.into_iter().next_back() {
                Some(last) => after = Some(last.key),
                None => return world,
            }
        }
    }

    pub(crate) fn soon(&self) -> domain::time::Timestamp {
        self.clock.now().plus(MINUTE)
    }

    /// Asks for seats by name for a minute.
    pub(crate) fn wish(&self, reservation: &str, seats: &[&str]) -> HoldSeats {
        HoldSeats {
            reservation: rsv(reservation),
            show: ShowId::parse("show").unwrap(),
            section: None,
            seats: seats.iter().map(|seat| seat_id(seat)).collect(),
            quantity: 0,
            person: PersonId::parse("kim").unwrap(),
            until: self.soon(),
        }
    }

    /// Asks for any places of `floor` for a minute.
    pub(crate) fn any(&self, reservation: &str, quantity: u32) -> HoldSeats {
        HoldSeats {
            section: Some(SectionId::parse("floor").unwrap()),
            quantity,
            ..self.wish(reservation, &[])
        }
    }

    pub(crate) async fn hold(&self, reservation: &str, seats: &[&str]) -> Answer<Held> {
        hold(&self.service, self.wish(reservation, seats)).await
    }

    pub(crate) async fn counts(&self, section: &str) -> Counts {
        counts(&self.service, section).await
    }
}

/// No other process writes the folder.
pub(crate) fn sole() -> Options {
    Options { sole_writer: true, ..Options::default() }
}

fn service(store: &Arc<FaultyStore>, clock: &Arc<ManualClock>, options: Options) -> Service {
    let metrics = InventoryMetrics::default();
    Service::new(store.clone(), clock.clone(), Arc::new(SeededEntropy::default()), options, metrics)
}

/// A show with section `A`, row 1, seats 1 to 10, and section `floor` with three places.
pub(crate) fn show(id: &str) -> Show {
    let section = |id: &str, price, layout| Section {
        id: SectionId::parse(id).unwrap(),
        name: id.to_owned(),
        price,
        layout,
    };
    let row = RowRange { row: "1".to_owned(), from: 1, to: 10 };
    Show {
        id: ShowId::parse(id).unwrap(),
        name: "A show".to_owned(),
        currency: Currency::krw(),
        sections: vec![
            section("A", 120_000, Layout::Rows(Rows::new(vec![row]))),
            section("floor", 80_000, Layout::Places(3)),
        ],
        waiting_room: None,
    }
}

pub(crate) fn rsv(id: &str) -> ReservationId {
    ReservationId::parse(id).unwrap()
}

/// `A-1-3` from `3`, anything else as it is.
pub(crate) fn seat_id(name: &str) -> SeatId {
    if name.parse::<u32>().is_ok() {
        return SeatId::parse(&format!("A-1-{name}")).unwrap();
    }
    SeatId::parse(name).unwrap()
}

pub(crate) async fn counts(service: &Service, section: &str) -> Counts {
    let section = SectionId::parse(section).unwrap();
    let status = service.status(&ShowId::parse("show").unwrap(), Some(&section)).await.unwrap();
    status.counts[status.show.section_for(Some(&section)).unwrap()]
}

pub(crate) async fn hold(service: &Service, wish: HoldSeats) -> Answer<Held> {
    service.hold(&CallContext::default(), wish).await
}

/// A commit with only the required fields.
pub(crate) fn paid(reservation: &str, intent: &str) -> CommitSeats {
    CommitSeats {
        reservation: rsv(reservation),
        show: None,
        seats: Vec::new(),
        quantity: None,
        intent: PaymentIntentId::parse(intent).ok(),
        person: None,
    }
}

/// Commits; an empty intent means none.
pub(crate) async fn commit(service: &Service, reservation: &str, intent: &str) -> Answer<Committed> {
    service.commit(&CallContext::default(), paid(reservation, intent)).await
}

pub(crate) async fn release(
    service: &Service,
    reservation: &str,
    cause: Option<ReleaseCause>,
) -> Answer<Released> {
    let command =
        ReleaseSeats { reservation: rsv(reservation), show: None, seats: Vec::new(), quantity: None, cause };
    service.release(&CallContext::default(), command).await
}

/// The rejection of a call that must be refused.
#[track_caller]
pub(crate) fn refusal<T: core::fmt::Debug>(answer: Answer<T>) -> Rejection {
    match answer {
        Err(PortError::Rejected(rejection)) => rejection,
        other => panic!("a refusal was expected: {other:?}"),
    }
}

/// The class of the fault of a call that must fail.
#[track_caller]
pub(crate) fn failure<T: core::fmt::Debug>(answer: Answer<T>) -> ports::FaultClass {
    match answer {
        Err(PortError::Failed(fault)) => fault.class,
        other => panic!("a failure was expected: {other:?}"),
    }
}

//! A person's reservations, newest first, page by page.

use crate::fixture::{Fixture, cancelled, code, floor, person};
use core::time::Duration;
use domain::id::{ReservationId, ShowId};
use domain::reservation::Status;
use ports::Trace;
use reservation::Listing;

fn all_of(who: &str) -> Listing {
    Listing { person: person(who), status: None, show: None, page_size: 0, cursor: String::new() }
}

async fn placed(fixture: &Fixture, who: &str, count: usize) -> Vec<ReservationId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let create = floor(&format!("k{n}"), who, 1);
        ids.push(fixture.service.create(&create, &Trace::default()).await.unwrap().placed.id);
        fixture.clock.advance(Duration::from_millis(1));
    }
    ids.reverse();
    ids
}

async fn pages(fixture: &Fixture, listing: &Listing) -> Vec<Vec<ReservationId>> {
    let (mut pages, mut listing) = (Vec::new(), listing.clone());
    loop {
        let page = fixture.service.list(&listing).await.unwrap();
        pages.push(page.reservations.into_iter().map(|reservation| reservation.id).collect());
        match page.next {
            Some(cursor) => listing.cursor = cursor,
            None => return pages,
        }
    }
}

#[tokio::test]
async fn pages_are_newest_first_and_show_each_reservation_once() {
    let fixture = Fixture::new();
    let ids = placed(&fixture, "kim", 7).await;
    placed(&fixture, "lee", 2).await;
    for page_size in 1..=8 {
        let pages = pages(&fixture, &Listing { page_size, ..all_of("kim") }).await;
        assert!(pages.iter().all(|page| page.len() <= page_size));
        assert_eq!(pages.len(), 7_usize.div_ceil(page_size), "no empty page behind a full one");
        assert_eq!(pages.concat(), ids, "{page_size} a page");
    }
    assert_eq!(pages(&fixture, &all_of("nobody")).await, [Vec::<ReservationId>::new()]);
}

#[tokio::test]
async fn a_filter_goes_by_the_present_rows() {
    let fixture = Fixture::new();
    let ids = placed(&fixture, "kim", 5).await;
    for id in [&ids[1], &ids[3]] {
        fixture.end(id, cancelled("user", None), false).await.unwrap();
    }
    let cancelled = Listing { status: Some(Status::Cancelled), page_size: 1, ..all_of("kim") };
    assert_eq!(pages(&fixture, &cancelled).await.concat(), [ids[1].clone(), ids[3].clone()]);
    let elsewhere = Listing { show: Some(ShowId::parse("other").unwrap()), ..all_of("kim") };
    assert_eq!(pages(&fixture, &elsewhere).await.concat(), []);
    let odd = Listing { cursor: "odd".to_owned(), ..all_of("kim") };
    assert_eq!(code(fixture.service.list(&odd).await), "INVALID_ARGUMENT");
}

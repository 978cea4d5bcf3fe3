use super::*;
use crate::limits::SEATS_PER_SHOW_MAX;

fn section(id: &str, layout: Layout) -> Section {
    Section { id: SectionId::parse(id).expect("an id"), name: id.to_owned(), price: 10, layout }
}

fn show(sections: Vec<Section>) -> Show {
    Show {
        id: ShowId::parse("s").expect("an id"),
        name: "S".to_owned(),
        currency: Currency::krw(),
        sections,
        waiting_room: None,
    }
}

fn rows(ranges: &[(&str, u32, u32)]) -> Layout {
    Layout::Rows(Rows::new(
        ranges
            .iter()
            .map(|(row, from, to)| RowRange { row: (*row).to_owned(), from: *from, to: *to })
            .collect(),
    ))
}

fn listed(seats: &[&str]) -> Layout {
    Layout::Listed(Listed::new(seats.iter().map(|seat| SeatId::parse(seat).expect("an id")).collect()))
}

#[test]
fn every_seat_is_found_under_its_name_and_no_other() {
    let show = show(vec![
        section("A", rows(&[("1", 1, 3), ("x-y", 10, 12), ("1", 7, 8)])),
        section("A-1", Layout::Places(3)),
        section("floor", Layout::Places(1_000)),
        section("box", listed(&["left", "right"])),
    ]);
    // `A-1-1` would be a seat of A and of A-1.
    assert!(show.check().is_err());
    for (n, section) in show.sections.iter().enumerate() {
        for index in 0..section.capacity() {
            let seat = section.seat_id(index).expect("a name");
            assert_eq!(section.index_of(&seat), Some(index), "{seat} in section {n}");
        }
        assert_eq!(section.seat_id(section.capacity()), None);
    }
    assert_eq!(show.sections[0].seat_id(3).expect("a name").as_str(), "A-x-y-10");
    for stranger in [
        "A-1-0",
        "A-1-01",
        "A-1-4",
        "A-1-+1",
        "A-2-1",
        "floor-0",
        "floor-1001",
        "floor-01",
        "floor-",
        "left ",
    ] {
        assert_eq!(show.locate(&SeatId::parse(stranger).expect("an id")), None, "{stranger}");
    }
}

#[test]
fn a_wrong_definition_is_reported_field_by_field() {
    let cases = [
        (vec![], "sections"),
        (vec![section("A", Layout::Places(0))], "sections[0].capacity"),
        (vec![section("A", Layout::Places(1)), section("A", Layout::Places(1))], "sections[1].id"),
        (vec![section("A", rows(&[]))], "sections[0].rows"),
        (vec![section("A", rows(&[("1", 2, 1)]))], "sections[0].rows[0]"),
        (vec![section("A", rows(&[("1", 1, 5), ("1", 5, 9)]))], "sections[0].rows[1]"),
        (vec![section("A", listed(&["a", "a"]))], "sections[0].seats"),
        (vec![section("A", listed(&[]))], "sections[0].seats"),
        (vec![section("A", listed(&["B-1"])), section("B", Layout::Places(1))], "sections[1]"),
        (vec![section("A", Layout::Places(SEATS_PER_SHOW_MAX + 1))], "sections"),
        (vec![section("A", rows(&[("1", 0, u32::MAX)]))], "sections"),
    ];
    for (sections, field) in cases {
        let problems = show(sections.clone()).check().expect_err("it is wrong");
        assert!(problems.iter().any(|problem| problem.field == field), "{sections:?}: {problems:?}");
    }
}

#[test]
fn a_section_may_go_unnamed_only_if_it_is_the_only_one() {
    let one = show(vec![section("A", Layout::Places(1))]);
    assert_eq!(one.section_for(None), Some(0));
    let two = show(vec![section("A", Layout::Places(1)), section("B", Layout::Places(1))]);
    assert_eq!(two.section_for(None), None);
    assert_eq!(two.section_for(Some(&two.sections[1].id)), Some(1));
    assert!(two.check().is_ok());
}

#[test]
fn thousands_of_rows_in_several_ranges_are_found_both_ways() {
    let ranges = (0..2_000).map(|n| RowRange {
        row: format!("R{}", (n * 7) % 500),
        from: 1 + (n / 500) * 100,
        to: 100 + (n / 500) * 100,
    });
    let section = section("A", Layout::Rows(Rows::new(ranges.collect())));
    assert_eq!(section.capacity(), 200_000);
    assert!(show(vec![section.clone()]).check().is_ok());
    for index in (0..section.capacity()).step_by(37).chain([199_999]) {
        let seat = section.seat_id(index).expect("a name");
        assert_eq!(section.index_of(&seat), Some(index), "{seat}");
        let view = section.view(index, &Currency::krw(), SeatStatus::Available).expect("a seat");
        assert_eq!(view.id, seat);
        assert_eq!(format!("A-{}-{}", view.row, view.number), seat.as_str());
    }
    assert_eq!(section.seat_id(200_000), None);
    for stranger in ["A-R0-401", "A-R0-0", "A-R500-1", "A-R-1", "A-R1"] {
        assert_eq!(section.index_of(&SeatId::parse(stranger).expect("an id")), None, "{stranger}");
    }
}

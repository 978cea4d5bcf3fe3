//! The fingerprint of a show's definition: FNV-1a over its fields in a canonical encoding.
//!
//! Fingerprints are stored: in the key of the sections' partition, and in the id of a show that was
//! created without one. So the fields are written out one by one: numbers as 8 bytes,
//! little-endian; floating-point numbers by their bits; texts and lists after their length; options
//! and layouts after a tag. Renaming a field or a type changes no stored key.

use domain::hash::fnv1a;
use domain::money::Currency;
use domain::show::{Layout, Section, Show, WaitingRoom};

/// The fingerprint of a whole definition, its id included.
pub(super) fn fingerprint(show: &Show) -> u64 {
    let mut encoding = Encoding::default();
    encoding.text(show.id.as_str());
    encoding.content(&show.name, &show.currency, &show.sections, show.waiting_room.as_ref());
    fnv1a(&encoding.0)
}

/// The fingerprint of a definition that has no id yet.
pub(crate) fn content_fingerprint(
    name: &str,
    currency: &Currency,
    sections: &[Section],
    waiting_room: Option<&WaitingRoom>,
) -> u64 {
    let mut encoding = Encoding::default();
    encoding.content(name, currency, sections, waiting_room);
    fnv1a(&encoding.0)
}

#[derive(Default)]
struct Encoding(Vec<u8>);

impl Encoding {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn content(
        &mut self,
        name: &str,
        currency: &Currency,
        sections: &[Section],
        waiting_room: Option<&WaitingRoom>,
    ) {
        self.text(name);
        self.text(currency.as_str());
        self.number(sections.len() as u64);
        for section in sections {
            self.section(section);
        }
        match waiting_room {
            None => self.tag(0),
            Some(WaitingRoom { rate_per_sec, burst, required }) => {
                self.tag(1);
                self.number(rate_per_sec.to_bits());
                self.number(burst.to_bits());
                self.tag(u8::from(*required));
            }
        }
    }

    fn section(&mut self, section: &Section) {
        let Section { id, name, price, layout } = section;
        self.text(id.as_str());
        self.text(name);
        self.number(*price);
        match layout {
            Layout::Rows(rows) => {
                self.tag(0);
                self.number(rows.ranges().len() as u64);
                for range in rows.ranges() {
                    self.text(&range.row);
                    self.number(u64::from(range.from));
                    self.number(u64::from(range.to));
                }
            }
            Layout::Listed(listed) => {
                self.tag(1);
                self.number(listed.seats().len() as u64);
                for seat in listed.seats() {
                    self.text(seat.as_str());
                }
            }
            Layout::Places(places) => {
                self.tag(2);
                self.number(u64::from(*places));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::{SeatId, SectionId, ShowId};
    use domain::show::{Listed, RowRange, Rows};

    fn show() -> Show {
        let section = |id: &str, layout| Section {
            id: SectionId::parse(id).expect("an id"),
            name: format!("Section {id}"),
            price: 110_000,
            layout,
        };
        let seats = ["L-1", "L-2"].map(|seat| SeatId::parse(seat).expect("an id"));
        Show {
            id: ShowId::parse("show").expect("an id"),
            name: "A show".into(),
            currency: Currency::krw(),
            sections: vec![
                section("A", Layout::Rows(Rows::new(vec![RowRange { row: "1".into(), from: 1, to: 50 }]))),
                section("L", Layout::Listed(Listed::new(seats.to_vec()))),
                section("F", Layout::Places(200)),
            ],
            waiting_room: Some(WaitingRoom { rate_per_sec: 1_000.0, burst: 0.5, required: true }),
        }
    }

    fn content(show: &Show) -> u64 {
        content_fingerprint(&show.name, &show.currency, &show.sections, show.waiting_room.as_ref())
    }

    /// These values are stored. A change of either makes other keys and other ids of the same
    /// shows.
    #[test]
    fn fingerprints_never_change() {
        let show = show();
        assert_eq!(format!("{:016x}", fingerprint(&show)), "bf549e23931b46a1");
        assert_eq!(format!("{:016x}", content(&show)), "86a166f7ed1b113e");
    }

    #[test]
    fn every_field_counts() {
        let changes: [fn(&mut Show); 9] = [
            |show| show.name.push('x'),
            |show| show.currency = Currency::parse("EUR").expect("a currency"),
            |show| drop(show.sections.pop()),
            |show| show.sections[0].name.push('x'),
            |show| show.sections[1].price += 1,
            |show| show.sections[1].layout = Layout::Places(2),
            |show| show.sections[2].layout = Layout::Places(201),
            |show| show.waiting_room = None,
            |show| show.waiting_room.iter_mut().for_each(|room| room.required = false),
        ];
        let mut seen = vec![content(&show())];
        for change in changes {
            let mut other = show();
            change(&mut other);
            assert!(!seen.contains(&content(&other)), "{other:?}");
            seen.push(content(&other));
        }
        let mut other = show();
        other.id = ShowId::parse("other").expect("an id");
        assert_ne!(fingerprint(&other), fingerprint(&show()));
        assert_eq!(content(&other), content(&show()), "the content has no id");
    }
}

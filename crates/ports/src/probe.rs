//! Code probes: a service marks the decision that it is acting on, and the simulator demands that
//! its runs reach each mark. A rule that no run has ever exercised is not tested.
//!
//! Without the feature `probes` a probe compiles to nothing. With it every thread counts for
//! itself: the simulator runs a world on one thread, and worlds that run side by side must not see
//! each other.
//!
//! Points have two forms. [`hit_variant`] names a point `<decision>.<Variant>` and derives the
//! variant's name from the value, so a new variant has a point without any code; `sim`'s test of
//! reach fails until the point is on its list. [`hit`] takes a name, `<event>.<answer>`, where a
//! handler of the worker received an answer.

#[cfg(feature = "probes")]
use core::cell::RefCell;
use core::fmt;
#[cfg(feature = "probes")]
use std::collections::BTreeMap;

#[cfg(feature = "probes")]
thread_local! {
    static HITS: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Marks that this point was reached. A no-op in this build.
#[cfg(not(feature = "probes"))]
#[inline(always)]
pub fn hit(_: impl fmt::Display) {}

/// Marks that this point was reached: it is counted on this thread.
#[cfg(feature = "probes")]
pub fn hit(point: impl fmt::Display) {
    let point = point.to_string();
    // A task that is dropped while its thread ends may still hit a point. Nobody can read it any
    // more.
    let _ = HITS.try_with(|hits| *hits.borrow_mut().entry(point).or_default() += 1);
}

/// Marks that this decision was reached, by the name of its variant. A no-op in this build.
#[cfg(not(feature = "probes"))]
#[inline(always)]
pub fn hit_variant(_: &str, _: &impl fmt::Debug) {}

/// Marks that this decision was reached, as `<kind>.<Variant>`.
#[cfg(feature = "probes")]
pub fn hit_variant(kind: &str, decision: &impl fmt::Debug) {
    let mut name = Identifier(String::new());
    // It stops behind the first identifier, which is the name of the variant, and reports that as
    // an error.
    let _ = fmt::write(&mut name, format_args!("{decision:?}"));
    hit(format_args!("{kind}.{}", name.0));
}

/// Keeps the identifier that the text begins with and refuses the rest, so that large values cost
/// no more than small ones.
#[cfg(feature = "probes")]
struct Identifier(String);

#[cfg(feature = "probes")]
impl fmt::Write for Identifier {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        self.0.push_str(&text[..end.unwrap_or(text.len())]);
        if end.is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Returns how often each point was reached on this thread since the last call.
#[cfg(feature = "probes")]
pub fn take() -> BTreeMap<String, u64> {
    HITS.with(RefCell::take)
}

#[cfg(all(test, feature = "probes"))]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_by_point_until_they_are_taken() {
        hit("a.One");
        hit("a.Two");
        hit(format_args!("a.{}", "One"));
        assert_eq!(take(), BTreeMap::from([("a.One".to_owned(), 2), ("a.Two".to_owned(), 1)]));
        assert_eq!(take(), BTreeMap::new());
    }

    #[test]
    fn a_variant_is_named_whatever_its_fields_are() {
        #[derive(Debug)]
        #[allow(dead_code, reason = "only its name is read")]
        enum Decision {
            Unit,
            Tuple(u8),
            Fields { one: u8 },
        }
        hit_variant("d", &Decision::Unit);
        hit_variant("d", &Decision::Tuple(1));
        hit_variant("d", &Decision::Fields { one: 1 });
        let points: Vec<String> = take().into_keys().collect();
        assert_eq!(points, ["d.Fields", "d.Tuple", "d.Unit"]);
    }
}

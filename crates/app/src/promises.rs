//! Compares the answers to buyers with the stores: every promise must still be true.

use crate::buyers::Receipt;
use crowd::Stored;
use domain::invariant::World;

/// The broken promises, each with the number of its buyer. Everything must have reached its end.
pub fn broken(receipts: &[Receipt], world: &World) -> Vec<String> {
    let stored = Stored::new(world, false);
    let mut broken = Vec::new();
    for receipt in receipts {
        let who = format!("buyer {} ({:?})", receipt.number, receipt.behaviour);
        broken.extend(receipt.complaints.iter().map(|complaint| format!("{who}: {complaint}")));
        for promise in &receipt.promises {
            if let Err(problem) = stored.keeps(promise) {
                broken.push(format!("{who} was promised {promise:?}, but {problem}"));
            }
        }
    }
    broken
}

//! Which shows have a waiting room, as reservation-api asks the inventory.

use crate::fault::PortError;
use crate::trace::CallContext;
use async_trait::async_trait;
use domain::id::ShowId;

/// The admission rules of the shows.
///
/// A show's rules never change, so an implementation may cache them. It must not cache that a show
/// is unknown, because the show may be opened a moment later.
#[async_trait]
pub trait Admissions: Send + Sync + 'static {
    /// Whether a reservation of this show needs a pass of the waiting room.
    async fn requires_pass(&self, cx: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>>;
}

/// No show has this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchShow;

//! Who may reserve: the waiting room as this service sees it.
//!
//! A show may ask for a pass of the waiting room. The trait is the door; the wiring in `app` knows where the settings of a
//! show are kept. Settings never change, so knowledge of a show may be cached; that a show is unknown may not, because
//! it may be opened a moment later.

use async_trait::async_trait;
use domain::id::{PersonId, ShowId};
use domain::show::Show;
use ports::{CallContext, PortError};

/// The door of each show.
#[async_trait]
pub trait Admissions: Send + Sync + 'static {
    /// Whether this person may reserve seats of this show now. It redeems nothing and may be asked again.
    async fn check(
        &self,
        cx: &CallContext,
        show: &ShowId,
        pass: Option<&str>,
        person: &PersonId,
    ) -> Result<Admission, PortError<NoSuchShow>>;
}

/// The answer at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Come in: the show asks for no pass, or the pass is valid for this show and this person.
    Granted,
    /// The show asks for a pass, and there is none or it is not valid.
    Denied,
}

impl Admission {
    /// What a show's own definition says, as long as there is no waiting room: who needs a pass cannot have one.
    pub fn by_definition(show: Option<&Show>) -> Result<Self, NoSuchShow> {
        match show {
            Some(show) if show.requires_pass() => Ok(Self::Denied),
            Some(_) => Ok(Self::Granted),
            None => Err(NoSuchShow),
        }
    }
}

/// There is no show of that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchShow;

//! Admission: whether a buyer may reserve, as this service checks it (trap T-W1).
//!
//! A show may require a pass of the waiting room. The trait says whether it does; the wiring in
//! `app` knows where a show's settings are kept. Settings never change, so knowledge of a show may
//! be cached. That a show is unknown may not be cached, because it may be opened a moment later.
//! This file decides whether a pass is valid: it is signed, for this show and this person, and in
//! time. The commit that stores the reservation redeems it.

use crate::refusal::{NoPass, Refusal};
use crate::request::Create;
use async_trait::async_trait;
use contracts::pass::{self, Pass};
use domain::id::ShowId;
use domain::time::Timestamp;
use ports::{CallContext, PortError};
use secrecy::{ExposeSecret, SecretString};

/// Says whether shows require a pass.
#[async_trait]
pub trait Admissions: Send + Sync + 'static {
    /// Whether reservations of this show need a pass.
    async fn requires_pass(&self, cx: &CallContext, show: &ShowId) -> Result<bool, PortError<NoSuchShow>>;
}

/// No show has this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchShow;

/// The pass of a request, if it is valid.
pub(crate) fn valid_pass(secrets: &[SecretString], create: &Create, now: Timestamp) -> Result<Pass, Refusal> {
    let refuse = |why| Refusal::NoAdmission(create.show.clone(), why);
    let text = create.pass.as_deref().ok_or_else(|| refuse(NoPass::Missing))?;
    let secrets: Vec<_> = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).collect();
    let pass = pass::verify(&secrets, text, now).map_err(|why| refuse(NoPass::Rejected(why)))?;
    if pass.show != create.show {
        return Err(refuse(NoPass::OtherShow));
    }
    if pass.person != create.person {
        return Err(refuse(NoPass::OtherPerson));
    }
    Ok(pass)
}

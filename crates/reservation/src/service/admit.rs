//! Admission: whether a buyer may reserve (trap T-W1).
//!
//! A show may require a pass of the waiting room; [`ports::Admissions`] says whether it does. This
//! file decides whether a pass is valid: it is signed, for this show and this person, in time, and
//! not redeemed for another reservation. The commit that stores the reservation redeems it.

use super::Service;
use crate::refusal::{NoPass, Peer, Refusal};
use crate::request::Create;
use crate::rows::PassRow;
use contracts::pass::{self, Pass};
use domain::hold::Rejection;
use domain::id::ReservationId;
use domain::time::Timestamp;
use ports::admissions::NoSuchShow;
use ports::{CallContext, Trace};
use secrecy::{ExposeSecret, SecretString};

impl Service {
    /// Checks admission (trap T-W1): the pass to redeem, if the show requires one.
    pub(super) async fn admit(
        &self,
        id: &ReservationId,
        create: &Create,
        trace: &Trace,
    ) -> Result<Option<Pass>, Refusal> {
        let limit = self.inner.options.admission_timeout;
        let cx = CallContext { trace: trace.clone(), timeout: Some(limit) };
        let check = self.inner.admissions.requires_pass(&cx, &create.show);
        match self.ask(Peer::Admissions, limit, check).await? {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(NoSuchShow) => return Err(Refusal::not_held(create.subject(), &Rejection::NoSuchShow)),
        }
        let pass = valid_pass(&self.inner.options.pass_secrets, create, self.inner.clock.now())?;
        if self.is_spent(&pass, id).await? { Err(spent(create)) } else { Ok(Some(pass)) }
    }

    /// Whether a pass was redeemed for another reservation than this.
    pub(super) async fn is_spent(&self, pass: &Pass, id: &ReservationId) -> Result<bool, Refusal> {
        let [row] =
            self.inner.table.get([PassRow::key(&pass.show, &pass.id)]).await.map_err(Refusal::Store)?;
        Ok(row.is_some_and(|row| PassRow::read(&row).is_none_or(|redeemed| redeemed.reservation != *id)))
    }
}

/// The pass of a request, if it is valid.
fn valid_pass(secrets: &[SecretString], create: &Create, now: Timestamp) -> Result<Pass, Refusal> {
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

pub(super) fn spent(create: &Create) -> Refusal {
    Refusal::NoAdmission(create.show.clone(), NoPass::Spent)
}

//! Admission: whether a buyer may reserve, as this service checks it (trap T-W1).
//!
//! A show may require a pass of the waiting room; [`ports::Admissions`] says whether it does. This file
//! decides whether a pass is valid: it is signed, for this show and this person, and in time. The
//! commit that stores the reservation redeems it.

use crate::refusal::{NoPass, Refusal};
use crate::request::Create;
use contracts::pass::{self, Pass};
use domain::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};

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

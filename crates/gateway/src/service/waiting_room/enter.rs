//! Exchanging a turn for a pass.

use super::status::{POLL_MIN, poll_after};
use super::{HeldTicket, WaitingRoomService};
use crate::refusal::Refusal;
use contracts::error::{Code, WireError};
use contracts::pass::{self, Pass};
use contracts::rest::gateway::Entered;
use core::time::Duration;
use domain::id::PersonId;
use domain::waiting_room::{Standing, Ticket};
use ports::Trace;
use ports::plant::{Plant, planted};
use secrecy::ExposeSecret;

/// How long the answer waits for a pass that is not valid yet. A longer wait is answered with when
/// to try again, because thousands of waiting requests would be thousands of connections.
const HELD_BACK_MAX: Duration = Duration::from_secs(2);

impl WaitingRoomService {
    /// Exchanges a turn for a pass, which is returned when its time in the rate has come.
    /// `signed_in` is the caller, if known.
    pub(crate) async fn enter(
        &self,
        held: &HeldTicket,
        signed_in: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Entered, Refusal> {
        let entered = self.try_enter(held, signed_in, trace).await;
        self.count("enter", entered.as_ref().map(|_| "granted"));
        entered
    }

    async fn try_enter(
        &self,
        held: &HeldTicket,
        signed_in: Option<&PersonId>,
        trace: &Trace,
    ) -> Result<Entered, Refusal> {
        let HeldTicket { show, ticket, room } = held;
        let person = holder(ticket, signed_in)
            .inspect_err(|refusal| self.record_foreign("ticket_foreign", refusal, trace))?;
        let (answer, is_first) = room.enter(ticket).await.map_err(|fault| Refusal::failed("enter", fault))?;
        if is_first && let Standing::Entered { at, .. } = answer.answer {
            self.inner.metrics.waited(at.since(ticket.joined_at));
        }
        match answer.answer {
            Standing::Entered { at, until } if answer.at < until => {
                // By the store's clock, so that no window of time has more passes than the rate.
                let wait = at.since(answer.at);
                if wait > HELD_BACK_MAX {
                    // The pass is booked: asking again then returns it at once.
                    return Err(Refusal::NotReady(wait));
                }
                if !planted(Plant::PassBeforeItsTime) {
                    self.inner.clock.sleep(wait).await;
                }
                let pass = Pass {
                    id: ticket.number.to_string().into(),
                    show: show.clone(),
                    person,
                    expires_at: until,
                };
                Ok(Entered {
                    admission: "granted".to_owned(),
                    reservation_token: pass::sign(self.inner.pass_secret.expose_secret().as_bytes(), &pass),
                    ttl_sec: until.since(answer.at.plus(wait)).as_secs(),
                })
            }
            Standing::Entered { .. } => {
                Err(Refusal::Gone { reason: "EXPIRED", message: "your pass has expired; join again" })
            }
            Standing::Waiting => {
                let view = room.view();
                let wait = view.wait(view.ahead_of(ticket.number));
                Err(Refusal::NotReady(Duration::from_millis(poll_after(ticket, wait))))
            }
            // Unreachable with a correct store: the line gives a ready person a pass.
            Standing::Ready { .. } => Err(Refusal::NotReady(POLL_MIN)),
            Standing::Left => {
                Err(Refusal::Gone { reason: "LEFT", message: "you have left the line; join again" })
            }
            Standing::Expired => {
                Err(Refusal::Gone { reason: "EXPIRED", message: "your turn has passed; join again" })
            }
        }
    }
}

/// The person that the ticket's pass belongs to.
fn holder(ticket: &Ticket, signed_in: Option<&PersonId>) -> Result<PersonId, Refusal> {
    let named = match ticket.key.split_once(':') {
        Some(("u" | "c", name)) => Some(
            PersonId::parse(name)
                .map_err(|_| WireError::invalid("waiting_token", "the ticket names no valid person"))?,
        ),
        _ => None,
    };
    match (named, signed_in) {
        (Some(named), Some(person)) if named != *person => {
            Err(Refusal::new(Code::Forbidden, "this ticket is another person's"))
        }
        (Some(named), _) => Ok(named),
        (None, Some(person)) => Ok(person.clone()),
        (None, None) => {
            let message =
                "this ticket has no owner yet; sign in to enter: send a token as Authorization: Bearer";
            Err(Refusal::new(Code::Unauthenticated, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::Timestamp;

    fn ticket(number: u64, key: &str) -> Ticket {
        Ticket { number, key: key.into(), joined_at: Timestamp::from_millis(0) }
    }

    fn person(name: &str) -> PersonId {
        PersonId::parse(name).unwrap()
    }

    #[test]
    fn a_pass_belongs_to_the_owner_of_the_ticket() {
        let of = |key, signed_in: Option<&str>| {
            let signed_in = signed_in.map(person);
            holder(&ticket(1, key), signed_in.as_ref()).map_err(|refusal| refusal.code())
        };
        assert_eq!(of("u:kim", None), Ok(person("kim")));
        assert_eq!(of("u:kim", Some("kim")), Ok(person("kim")));
        assert_eq!(of("u:kim", Some("lee")), Err(Code::Forbidden));
        assert_eq!(of("c:kim", Some("lee")), Err(Code::Forbidden));
        assert_eq!(of("c:kim", None), Ok(person("kim")));
        assert_eq!(of("u:a:b", None), Ok(person("a:b")));
        assert_eq!(of("a:k:u:kim", None), Err(Code::Unauthenticated));
        assert_eq!(of("a:r:1", Some("lee")), Ok(person("lee")));
    }
}

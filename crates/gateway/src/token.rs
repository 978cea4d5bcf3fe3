//! The ticket as people hold it: the state of their place, signed (docs/design.md#the-waiting-room,
//! traps T-W6 and T-W10).
//!
//! Its text is `q1.<payload>.<signature>`, like that of [`contracts::pass`]: the payload is JSON in
//! base64url, the signature is HMAC-SHA256 over everything before the last point, compared in
//! constant time and before the payload is read. The prefix fixes the scheme and is also signed, so
//! that a ticket is never a pass.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::ShowId;
use domain::time::Timestamp;
use domain::waiting_room::Ticket;
use hmac::{Hmac, Mac};
use ports::plant::{Plant, planted};
use ports::waiting_room::PERSON_KEY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::borrow::Cow;

/// The longest text of a ticket, in bytes.
pub const BYTES_MAX: usize = 2 * 1024;

const SCHEME: &str = "q1.";

/// Why a text is not an accepted ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not a ticket, or a ticket of a later scheme.
    #[error("it is not a ticket")]
    Malformed,
    /// Signed with an unknown secret, or changed.
    #[error("its signature does not match")]
    WrongSignature,
}

#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    /// The number in the line.
    n: u64,
    #[serde(borrow)]
    show: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    /// When its owner joined, milliseconds since 1970.
    at: u64,
}

/// Signs tickets with the first secret and accepts the signatures of all.
#[derive(Clone)]
pub struct Signer(Vec<Hmac<Sha256>>);

impl Signer {
    /// Takes at least one secret.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let keyed =
            |secret: S| Hmac::new_from_slice(secret.as_ref()).expect("HMAC takes a key of any length");
        Self(secrets.into_iter().map(keyed).collect())
    }

    /// The text of a ticket.
    pub fn sign(&self, show: &ShowId, ticket: &Ticket) -> String {
        let payload = Payload {
            n: ticket.number,
            show: show.as_str().into(),
            key: (&*ticket.key).into(),
            at: ticket.joined_at.as_millis(),
        };
        let mut text = SCHEME.to_owned();
        let json = serde_json::to_vec(&payload).expect("texts and numbers");
        URL_SAFE_NO_PAD.encode_string(json, &mut text);
        let mut mac = self.0.first().expect("a secret").clone();
        mac.update(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut text);
        text
    }

    /// Verifies and reads a ticket.
    ///
    /// # Errors
    /// When the text is not a ticket, or none of the secrets signed it.
    pub fn verify(&self, text: &str) -> Result<(ShowId, Ticket), Rejected> {
        if text.len() > BYTES_MAX {
            return Err(Rejected::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let payload = signed.strip_prefix(SCHEME).ok_or(Rejected::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejected::Malformed)?;
        let signs = |mac: &Hmac<Sha256>| {
            let mut mac = mac.clone();
            mac.update(signed.as_bytes());
            mac.verify_slice(&signature).is_ok()
        };
        if !self.0.iter().any(signs) && !planted(Plant::TicketUnsigned) {
            return Err(Rejected::WrongSignature);
        }
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Rejected::Malformed)?;
        let payload: Payload<'_> = serde_json::from_slice(&json).map_err(|_| Rejected::Malformed)?;
        let show = ShowId::parse(&payload.show).map_err(|_| Rejected::Malformed)?;
        if payload.key.is_empty() || payload.key.len() > PERSON_KEY_BYTES_MAX {
            return Err(Rejected::Malformed);
        }
        let joined_at = Timestamp::from_millis(payload.at);
        Ok((show, Ticket { number: payload.n, key: (&*payload.key).into(), joined_at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticket(number: u64, key: &str) -> Ticket {
        Ticket { number, key: key.into(), joined_at: Timestamp::from_millis(1_750_000_000_000) }
    }

    #[test]
    fn a_ticket_is_accepted_under_either_secret_and_no_other() {
        let show = ShowId::parse("first-night").unwrap();
        let ticket = ticket(7, "u:kim");
        let text = Signer::new(["old"]).sign(&show, &ticket);
        assert_eq!(Signer::new(["new", "old"]).verify(&text), Ok((show, ticket)));
        assert_eq!(Signer::new(["new"]).verify(&text), Err(Rejected::WrongSignature));
    }

    /// Tickets and passes are signed with the same secrets.
    #[test]
    fn a_ticket_is_no_pass_and_a_pass_is_no_ticket() {
        let (show, person) = (ShowId::parse("s").unwrap(), domain::id::PersonId::parse("kim").unwrap());
        let text = Signer::new(["secret"]).sign(&show, &ticket(7, "u:kim"));
        let now = Timestamp::from_millis(0);
        let disguised = text.replacen("q1.", "p1.", 1);
        assert!(contracts::pass::verify(&[b"secret"], &text, now).is_err());
        assert!(contracts::pass::verify(&[b"secret"], &disguised, now).is_err());
        let pass =
            contracts::pass::Pass { id: "7".into(), show, person, expires_at: Timestamp::from_millis(9) };
        let text = contracts::pass::sign(b"secret", &pass);
        assert_eq!(Signer::new(["secret"]).verify(&text), Err(Rejected::Malformed));
        assert_eq!(
            Signer::new(["secret"]).verify(&text.replacen("p1.", "q1.", 1)),
            Err(Rejected::WrongSignature)
        );
    }

    proptest! {
        #[test]
        fn signed_tickets_are_read_and_changed_ones_rejected(
            number in 1u64.., show in "[^\\p{C}]{1,32}", key in ".{1,60}", at in any::<usize>(), with in any::<u8>(),
        ) {
            let show = ShowId::parse(&show).unwrap();
            let signer = Signer::new(["secret"]);
            let ticket = ticket(number, &key);
            let text = signer.sign(&show, &ticket);
            prop_assert_eq!(signer.verify(&text), Ok((show, ticket)));
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            // The last letter of the signature has unused bits.
            prop_assume!(bytes[at] != with && at != bytes.len() - 1);
            bytes[at] = with;
            if let Ok(changed) = String::from_utf8(bytes) {
                prop_assert!(signer.verify(&changed).is_err(), "{changed}");
            }
        }

        #[test]
        fn any_other_text_is_rejected(text in ".{0,200}") {
            prop_assert!(Signer::new(["secret"]).verify(&text).is_err());
        }
    }
}

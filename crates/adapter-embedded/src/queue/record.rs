//! Records of a queue on disk, all in one table of the tree; the first byte of a key is the kind of
//! its record.
//!
//! `m` place → message; `r` place → how often and when first received; `d` expiry, hash → message
//! id, the deduplication window; `k` → kind; `p` → places reserved so far; `n` → number of the
//! queue in its folder. Places (8 bytes, big-endian) grow with each message and are never used
//! again.

use crate::codec::{Reader, be64, put_bytes, put_number};
use ports::Fault;

pub(crate) const MESSAGE: u8 = b'm';
pub(crate) const RECEIVES: u8 = b'r';
pub(crate) const DEDUP: u8 = b'd';
pub(crate) const KIND: [u8; 1] = [b'k'];
pub(crate) const PLACES: [u8; 1] = [b'p'];
pub(crate) const NUMBER: [u8; 1] = [b'n'];

/// A stored message. Its texts are borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// The id it was sent under, if that was in another queue; 0 = the id of its place.
    pub(crate) id: u64,
    /// Milliseconds since the Unix epoch, like all times here.
    pub(crate) arrived: u64,
    pub(crate) sent: u64,
    /// When a delay ends; 0 = no delay.
    pub(crate) visible: u64,
    pub(crate) group: Option<&'a str>,
    pub(crate) body: &'a str,
    pub(crate) attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Record<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 128);
        for number in [self.id, self.arrived, self.sent, self.visible] {
            put_number(&mut out, number);
        }
        out.push(u8::from(self.group.is_some()));
        if let Some(group) = self.group {
            put_bytes(&mut out, group.as_bytes());
        }
        put_bytes(&mut out, self.body.as_bytes());
        put_number(&mut out, self.attributes.len() as u64);
        for (name, value) in &self.attributes {
            put_bytes(&mut out, name.as_bytes());
            put_bytes(&mut out, value.as_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Fault> {
        Self::read(bytes).ok_or_else(|| Fault::permanent("a message on disk is damaged"))
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (id, arrived, sent, visible) =
            (reader.number()?, reader.number()?, reader.number()?, reader.number()?);
        let group = match reader.byte()? {
            0 => None,
            _ => Some(reader.text()?),
        };
        let body = reader.text()?;
        let count = usize::try_from(reader.number()?).ok()?;
        let mut attributes = Vec::with_capacity(count.min(16));
        for _ in 0..count {
            attributes.push((reader.text()?, reader.text()?));
        }
        reader.is_at_end().then_some(Self { id, arrived, sent, visible, group, body, attributes })
    }
}

/// `kind` byte and place.
pub(crate) fn key(kind: u8, place: u64) -> [u8; 9] {
    let mut out = [kind; 9];
    out[1..].copy_from_slice(&place.to_be_bytes());
    out
}

/// The place of a key of `m` or `r`.
pub(crate) fn place_of(key: &[u8]) -> Option<u64> {
    be64(key.get(1..)?)
}

/// How often and when first received.
pub(crate) fn receives(count: u32, first: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(12);
    put_number(&mut out, u64::from(count));
    put_number(&mut out, first);
    out
}

/// Decodes [`receives`].
pub(crate) fn read_receives(bytes: &[u8]) -> Option<(u32, u64)> {
    let mut reader = Reader::new(bytes);
    Some((u32::try_from(reader.number()?).ok()?, reader.number()?))
}

/// The key of an entry of the deduplication window: sorted by its end.
pub(crate) fn dedup_key(expiry: u64, hash: u128) -> [u8; 25] {
    let mut out = [DEDUP; 25];
    out[1..9].copy_from_slice(&expiry.to_be_bytes());
    out[9..].copy_from_slice(&hash.to_be_bytes());
    out
}

/// Decodes [`dedup_key`].
pub(crate) fn read_dedup_key(key: &[u8]) -> Option<(u64, u128)> {
    let expiry = be64(key.get(1..)?)?;
    let hash = key.get(9..25)?.first_chunk().map(|hash| u128::from_be_bytes(*hash))?;
    Some((expiry, hash))
}

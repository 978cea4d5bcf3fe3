//! The envelope as it appears in the body, borrowed from it.

use core::marker::PhantomData;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;

/// Every field of every form of the envelope; unknown fields are skipped.
#[derive(serde::Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default, rename = "detail-type")]
    pub(super) detail_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) source: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) detail: Option<Object<Detail<'a>>>,
    #[serde(borrow, default)]
    pub(super) time: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) trace_id: Option<Text<'a>>,
}

/// The fields of every event's `detail`.
#[derive(serde::Deserialize)]
pub(super) struct Detail<'a> {
    #[serde(borrow, default)]
    pub(super) reservation_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) event_id: Option<Text<'a>>,
    #[serde(default)]
    pub(super) qty: Option<u32>,
    #[serde(borrow, default)]
    pub(super) seat_ids: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) expires_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) payment_intent_id: Option<Text<'a>>,
    #[serde(default)]
    pub(super) amount: Option<u64>,
    #[serde(borrow, default)]
    pub(super) currency: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) error_code: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) error_message: Option<Text<'a>>,
}

/// Only the type, for the label of a body whose other fields cannot be read.
#[derive(serde::Deserialize)]
pub(super) struct TypeOnly<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default, rename = "detail-type")]
    pub(super) detail_type: Option<Text<'a>>,
}

/// A text that borrows from the body unless it has escapes. (serde borrows a bare `Cow` this way,
/// but not one inside `Option` or `Vec`.)
pub(super) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// A value that is an object in the body. serde's derived readers also accept arrays, field by
/// field, which no producer means.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

//! Leaves of the raw structs: what was given for a key, where, and whether it could be read.
//!
//! Serde stops at the first error. A host who edits a file wants to see all of them, so a leaf
//! takes any TOML value, and keeps a [`Fault`] instead of failing. Only the shape of tables is
//! left to serde.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use super::fault::Fault;

/// A value and its place (bytes of the file).
#[derive(Debug)]
pub(super) struct Given<T> {
    pub(super) span: Range<usize>,
    pub(super) value: Result<T, Fault>,
}

/// An array of values, each with its place.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) span: Range<usize>,
    pub(super) items: Result<Vec<Given<T>>, Fault>,
}

/// The place of a secret: `{ file = "…" }` and the like. What stands in the table is told apart
/// later; anything else in its place could be the secret, and is not kept.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) span: Range<usize>,
    pub(super) fields: Result<Vec<(String, Given<String>)>, Fault>,
}

/// Something that a key can be set to.
pub(super) trait Value: Sized {
    /// What it looks like in a file, with an example; reads as "has to be …".
    const WANTED: &'static str;

    /// Reads text; `None` where text is of no use.
    fn from_text(_text: &str) -> Option<Result<Self, Fault>> {
        None
    }

    /// Reads a whole number; `None` where numbers are of no use.
    fn from_integer(_integer: i64) -> Option<Result<Self, Fault>> {
        None
    }

    /// Reads `true` or `false`; `None` where they are of no use.
    fn from_bool(_boolean: bool) -> Option<Self> {
        None
    }
}

/// Any TOML value, without what is inside arrays and tables.
enum Scalar {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Other(&'static str),
}

// === impl Given ===

impl<T: Value> Given<T> {
    fn read(spanned: Spanned<Scalar>) -> Self {
        let span = spanned.span();
        let scalar = spanned.into_inner();
        let value = match &scalar {
            Scalar::Text(text) => T::from_text(text),
            Scalar::Integer(integer) => T::from_integer(*integer),
            Scalar::Boolean(boolean) => T::from_bool(*boolean).map(Ok),
            Scalar::Other(_) => None,
        };
        let wrong = || Err(Fault::Kind { found: scalar.kind(), wanted: T::WANTED });
        Self { span, value: value.unwrap_or_else(wrong) }
    }
}

impl<'de, T: Value> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<Scalar>::deserialize(deserializer).map(Self::read)
    }
}

// === impl List ===

impl<'de, T: Value> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Items<T>>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), items: spanned.into_inner().0 })
    }
}

struct Items<T>(Result<Vec<Given<T>>, Fault>);

impl<'de, T: Value> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor(PhantomData))
    }
}

struct ItemsVisitor<T>(PhantomData<T>);

impl<'de, T: Value> Visitor<'de> for ItemsVisitor<T> {
    type Value = Items<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Items(Ok(items)))
    }

    fn visit_str<E>(self, _: &str) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::TEXT))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::INTEGER))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::INTEGER))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::INTEGER))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::INTEGER))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::FLOAT))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Items<T>, E> {
        Ok(no_list(Scalar::BOOLEAN))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Items<T>, A::Error> {
        Ok(no_list(drain(map)?))
    }
}

fn no_list<T>(found: &'static str) -> Items<T> {
    Items(Err(Fault::Kind { found, wanted: "a list, such as [\"…\"]" }))
}

// === impl Secret ===

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<SecretFields>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), fields: spanned.into_inner().0 })
    }
}

struct SecretFields(Result<Vec<(String, Given<String>)>, Fault>);

impl<'de> Deserialize<'de> for SecretFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place of a secret")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretFields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(SecretFields(Ok(fields)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SecretFields, A::Error> {
        while seq.next_element::<Scalar>()?.is_some() {}
        Ok(SecretFields(Err(Fault::SecretInline)))
    }

    fn visit_str<E>(self, _: &str) -> Result<SecretFields, E> {
        Ok(SecretFields(Err(Fault::SecretInline)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<SecretFields, E> {
        Ok(SecretFields(Err(Fault::SecretInline)))
    }

    fn visit_i128<E>(self, _: i128) -> Result<SecretFields, E> {
        Ok(SecretFields(Err(Fault::SecretInline)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<SecretFields, E> {
        Ok(SecretFields(Err(Fault::SecretInline)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<SecretFields, E> {
        Ok(SecretFields(Err(Fault::SecretInline)))
    }
}

// === impl Scalar ===

impl Scalar {
    const TEXT: &'static str = "text";
    const INTEGER: &'static str = "a whole number";
    const FLOAT: &'static str = "a number with a fraction";
    const BOOLEAN: &'static str = "true or false";

    fn kind(&self) -> &'static str {
        match self {
            Scalar::Text(_) => Self::TEXT,
            Scalar::Integer(_) => Self::INTEGER,
            Scalar::Boolean(_) => Self::BOOLEAN,
            Scalar::Other(kind) => kind,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(integer))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(i64::try_from(integer).unwrap_or(i64::MAX)))
    }

    fn visit_i128<E>(self, integer: i128) -> Result<Scalar, E> {
        Ok(Scalar::Integer(if integer < 0 { i64::MIN } else { i64::MAX }))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Scalar, E> {
        Ok(Scalar::Integer(i64::MAX))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other(Scalar::FLOAT))
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(boolean))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<Scalar>()?.is_some() {}
        Ok(Scalar::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
        drain(map).map(Scalar::Other)
    }
}

/// Reads a table to its end, as values rather than as something ignored: its keys are not unknown
/// keys, it is as a whole in the wrong place. Says what it is; dates come as tables, too.
fn drain<'de, A: MapAccess<'de>>(mut map: A) -> Result<&'static str, A::Error> {
    let mut kind = "a table";
    while let Some(key) = map.next_key::<String>()? {
        if key.starts_with("$__toml_private_datetime") {
            kind = "a date";
        }
        map.next_value::<Scalar>()?;
    }
    Ok(kind)
}

// === impl Value for what needs no parsing ===

impl Value for bool {
    const WANTED: &'static str = "true or false";

    fn from_bool(boolean: bool) -> Option<Self> {
        Some(boolean)
    }
}

impl Value for String {
    const WANTED: &'static str = "text in quotes";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        if text.is_empty() {
            return Some(Err(Fault::Empty));
        }
        let plain = !text.chars().any(char::is_control);
        Some(if plain { Ok(text.to_owned()) } else { Err(Fault::ControlCharacter) })
    }
}

impl Value for PathBuf {
    const WANTED: &'static str = "a path in quotes";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(String::from_text(text)?.map(PathBuf::from))
    }
}

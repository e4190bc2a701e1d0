//! Reads JSON with the place of every value, and collects what is wrong instead of stopping.
//!
//! serde_json does the parsing: a value is kept as the slice of the file that it is
//! ([`RawValue`]), and so knows where it stands. A reader asks for what it wants, and gets `None`
//! where something else stands, which is then a problem already.

use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Something wrong, or doubtful, with a place in a file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    /// The file, below the folder of tours.
    pub file: String,
    /// From 1; 0 for the file as a whole.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
    /// Lower case, without a full stop.
    pub message: String,
    /// Whether it makes the catalogue unusable; else it is a warning.
    pub is_error: bool,
}

/// A file that is being read.
pub(super) struct Document<'a> {
    pub(super) file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

/// A value in it.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    document: &'a Document<'a>,
    raw: &'a str,
}

/// The values of an object, by key.
pub(super) struct Fields<'a> {
    object: Node<'a>,
    values: Vec<(String, Node<'a>)>,
}

// === impl Document ===

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, problems: RefCell::default() }
    }

    /// The whole value, if it is JSON.
    pub(super) fn root(&'a self) -> Option<Node<'a>> {
        match serde_json::from_str::<&RawValue>(self.text) {
            Ok(raw) => Some(Node { document: self, raw: raw.get() }),
            Err(error) => {
                self.push(
                    error.line(),
                    error.column(),
                    format!("no JSON: {}", plain(&error)),
                    true,
                );
                None
            }
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    fn push(&self, line: usize, column: usize, message: String, is_error: bool) {
        let file = self.file.to_owned();
        self.problems.borrow_mut().push(Problem { file, line, column, message, is_error });
    }

    /// Line and column of a slice of the text.
    fn place(&self, raw: &str) -> (usize, usize) {
        let offset = (raw.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|&&b| b != b'\n').count();
        (line, column)
    }
}

/// What serde_json says, without the place it puts at the end.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

// === impl Node ===

impl<'a> Node<'a> {
    /// Says that something is wrong here.
    pub(super) fn error(self, message: impl Into<String>) {
        let (line, column) = self.document.place(self.raw);
        self.document.push(line, column, message.into(), true);
    }

    /// Says that something is doubtful here.
    pub(super) fn warn(self, message: impl Into<String>) {
        let (line, column) = self.document.place(self.raw);
        self.document.push(line, column, message.into(), false);
    }

    /// Where it stands, to say something about it later.
    pub(super) fn at(self) -> (usize, usize) {
        self.document.place(self.raw)
    }

    pub(super) fn raw(self) -> &'a str {
        self.raw
    }

    pub(super) fn is_object(self) -> bool {
        self.raw.starts_with('{')
    }

    pub(super) fn is_string(self) -> bool {
        self.raw.starts_with('"')
    }

    /// The fields of an object; every key has to be one of `known`, unless that is empty.
    pub(super) fn fields(self, known: &[&str]) -> Option<Fields<'a>> {
        let Ok(Object(values)) = serde_json::from_str::<Object<'a>>(self.raw) else {
            self.error("has to be an object");
            return None;
        };
        let mut fields: Vec<(String, Node<'a>)> = Vec::with_capacity(values.len());
        for (key, raw) in values {
            let node = Node { document: self.document, raw: raw.get() };
            if !known.is_empty() && !known.contains(&key.as_str()) {
                let near = nearest(&key, known.iter().copied());
                node.error(format!("there is no field `{key}` here{near}"));
            } else if fields.iter().any(|(other, _)| *other == key) {
                node.error(format!("`{key}` is there twice"));
            } else {
                fields.push((key, node));
            }
        }
        Some(Fields { object: self, values: fields })
    }

    pub(super) fn items(self) -> Vec<Node<'a>> {
        match serde_json::from_str::<Vec<&'a RawValue>>(self.raw) {
            Ok(items) => items
                .into_iter()
                .map(|raw| Node { document: self.document, raw: raw.get() })
                .collect(),
            Err(_) => {
                self.error("has to be a list");
                Vec::new()
            }
        }
    }

    pub(super) fn string(self) -> Option<String> {
        self.typed("has to be text in quotes")
    }

    pub(super) fn boolean(self) -> Option<bool> {
        self.typed("has to be true or false")
    }

    /// A whole number within limits.
    pub(super) fn number(self, limits: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let number: i64 = self.typed("has to be a whole number")?;
        if !limits.contains(&number) {
            self.error(format!("has to be {} to {}", limits.start(), limits.end()));
            return None;
        }
        Some(number)
    }

    /// One of some words.
    pub(super) fn word(self, known: &[&str]) -> Option<String> {
        let word = self.string()?;
        if !known.contains(&word.as_str()) {
            let near = nearest(&word, known.iter().copied());
            self.error(format!("`{word}` is none of {}{near}", known.join(", ")));
            return None;
        }
        Some(word)
    }

    /// A name: a-z, 0-9 and `-`, beginning with a letter or digit.
    pub(super) fn name(self) -> Option<String> {
        let name = self.string()?;
        if !is_name(&name) {
            self.error(format!("`{name}` is no name: use a-z, 0-9 and `-`"));
            return None;
        }
        Some(name)
    }

    fn typed<T: for<'de> Deserialize<'de>>(self, otherwise: &str) -> Option<T> {
        serde_json::from_str(self.raw).map_err(|_| self.error(otherwise)).ok()
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn optional(&self, key: &str) -> Option<Node<'a>> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, node)| *node)
    }

    /// A field that has to be there.
    pub(super) fn required(&self, key: &str) -> Option<Node<'a>> {
        let node = self.optional(key);
        if node.is_none() {
            self.object.error(format!("`{key}` is missing"));
        }
        node
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Node<'a>)> {
        self.values.iter().map(|(key, node)| (key.as_str(), *node))
    }

    /// The only field that is no option of it: what an action or condition does.
    pub(super) fn only(&self, options: &[&str]) -> Option<(&str, Node<'a>)> {
        let mut kinds = self.iter().filter(|(key, _)| !options.contains(key));
        match (kinds.next(), kinds.next()) {
            (Some(only), None) => Some(only),
            (None, _) => {
                self.object.error("is empty");
                None
            }
            (Some((first, _)), Some((second, _))) => {
                self.object.error(format!("says two things: `{first}` and `{second}`"));
                None
            }
        }
    }
}

/// An object in the order of the file, with keys that are there twice.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// `; did you mean …?`, if one is near.
pub(super) fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> String {
    let scored = known.map(|name| (strsim::damerau_levenshtein(given, name), name));
    match scored.min() {
        Some((distance, name)) if distance <= 1 + given.len() / 4 => {
            format!("; did you mean `{name}`?")
        }
        _ => String::new(),
    }
}

/// Whether it is a name of a tour, step, chapter or flag.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_error { "error" } else { "warning" };
        match self.line {
            0 => write!(f, "{}: {kind}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {kind}: {}", self.file, self.column, self.message),
        }
    }
}

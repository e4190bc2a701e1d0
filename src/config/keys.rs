//! The keys that exist, and what becomes of those that do not.
//!
//! The names come from the raw structs themselves (serde tells them to a deserializer), so that
//! there is no second list to keep. Serde's `deny_unknown_fields` would stop at the first unknown
//! key; `serde_ignored` reports all of them, and their places are looked up afterwards.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_ignored::Path as IgnoredPath;

use super::fault::Fault;
use super::problem::{Problem, Source};
use super::raw;

/// A table that may stand in a file, and its keys.
pub(super) struct Table {
    /// Its name in full; empty for the file itself.
    pub(super) path: &'static str,
    /// The keys that stand for values or tables in it.
    pub(super) keys: &'static [&'static str],
}

/// A kind of file.
pub(super) trait File: Default + for<'de> Deserialize<'de> {
    /// All its tables.
    fn tables() -> Vec<Table>;
}

impl File for raw::Main {
    fn tables() -> Vec<Table> {
        vec![
            Table { path: "", keys: fields::<raw::Main>() },
            Table { path: "listen", keys: fields::<raw::Listen>() },
            Table { path: "admin", keys: fields::<raw::Admin>() },
            Table { path: "store", keys: fields::<raw::Store>() },
            Table { path: "limits", keys: fields::<raw::Limits>() },
            Table { path: "log", keys: fields::<raw::Log>() },
            Table { path: "tours", keys: fields::<raw::AllTours>() },
            Table { path: "appapi", keys: fields::<raw::AppApi>() },
            Table { path: "defaults", keys: fields::<raw::Site>() },
            Table { path: "defaults.upstream", keys: fields::<raw::Upstream>() },
            Table { path: "defaults.dav", keys: fields::<raw::Dav>() },
            Table { path: "defaults.limits", keys: fields::<raw::SiteLimits>() },
            Table { path: "defaults.transfers", keys: fields::<raw::Transfers>() },
            Table { path: "defaults.access", keys: fields::<raw::Access>() },
            Table { path: "defaults.access.appapi", keys: fields::<raw::AccessApp>() },
            Table { path: "defaults.access.database", keys: fields::<raw::AccessDatabase>() },
            Table { path: "defaults.tours", keys: fields::<raw::Tours>() },
        ]
    }
}

impl File for raw::Site {
    fn tables() -> Vec<Table> {
        vec![
            Table { path: "", keys: fields::<raw::Site>() },
            Table { path: "upstream", keys: fields::<raw::Upstream>() },
            Table { path: "dav", keys: fields::<raw::Dav>() },
            Table { path: "tours", keys: fields::<raw::Tours>() },
            Table { path: "limits", keys: fields::<raw::SiteLimits>() },
            Table { path: "transfers", keys: fields::<raw::Transfers>() },
            Table { path: "access", keys: fields::<raw::Access>() },
            Table { path: "access.appapi", keys: fields::<raw::AccessApp>() },
            Table { path: "access.database", keys: fields::<raw::AccessDatabase>() },
            Table { path: "routes", keys: fields::<raw::Route>() },
            Table { path: "routes.upstream", keys: fields::<raw::Upstream>() },
            Table { path: "owners", keys: fields::<raw::Owner>() },
        ]
    }
}

/// Reads a file. What is wrong goes to `problems`; `None` if nothing could be read.
pub(super) fn parse<T: File>(source: &Source<'_>, problems: &mut Vec<Problem>) -> Option<T> {
    let mut unknown: Vec<Vec<String>> = Vec::new();
    let read = toml::de::Deserializer::parse(source.text).and_then(|deserializer| {
        serde_ignored::deserialize(deserializer, |path| unknown.push(segments(&path)))
    });
    problems.extend(unknown.iter().map(|path| unknown_key::<T>(source, path)));
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            problems.push(source.problem(span, Fault::Syntax(error.into())));
            None
        }
    }
}

fn unknown_key<T: File>(source: &Source<'_>, path: &[String]) -> Problem {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let (key, table) = match names.split_last() {
        Some((key, table)) => (*key, table),
        None => ("", &[][..]),
    };
    let is_name = |name: &&&str| !name.bytes().all(|b| b.is_ascii_digit());
    let table: Vec<&str> = table.iter().filter(is_name).copied().collect();
    let nearest = nearest(key, &table.join("."), &T::tables());
    let span = source.span_of_key(path).unwrap_or(0..0);
    source.problem_of_key(Some(in_full(path)), span, Fault::UnknownKey { nearest })
}

/// A key as other problems name it: `routes[0].prefix`.
fn in_full(path: &[String]) -> String {
    path.iter().fold(String::new(), |mut full, name| {
        match (name.bytes().all(|b| b.is_ascii_digit()), full.is_empty()) {
            (true, false) => full.push_str(&format!("[{name}]")),
            (false, false) => full.push_str(&format!(".{name}")),
            (_, true) => full.push_str(name),
        }
        full
    })
}

/// The key that was probably meant: one of the same table that looks alike, or one of the same
/// name in another table.
fn nearest(key: &str, table: &str, tables: &[Table]) -> Option<String> {
    let near = key.chars().count().div_ceil(3).clamp(1, 4);
    let here = tables.iter().filter(|known| known.path == table).flat_map(|known| known.keys);
    let alike = here
        .map(|known| (strsim::damerau_levenshtein(key, known), *known))
        .filter(|(distance, _)| *distance <= near)
        .min();
    if let Some((_, known)) = alike {
        return Some(known.to_owned());
    }
    let holds = |known: &&Table| known.path != table && known.keys.contains(&key);
    let elsewhere = tables.iter().find(holds)?;
    Some(match elsewhere.path {
        "" => format!("{key}` at the top of the file, before any `[table]"),
        path => format!("{path}.{key}"),
    })
}

/// The names along a path, without the steps that stand for no name in the file.
fn segments(path: &IgnoredPath<'_>) -> Vec<String> {
    match path {
        IgnoredPath::Root => Vec::new(),
        IgnoredPath::Seq { parent, index } => {
            let mut names = segments(parent);
            names.push(index.to_string());
            names
        }
        IgnoredPath::Map { parent, key } => {
            let mut names = segments(parent);
            if !key.starts_with("$__serde_spanned_private") {
                names.push(key.clone());
            }
            names
        }
        IgnoredPath::Some { parent }
        | IgnoredPath::NewtypeStruct { parent }
        | IgnoredPath::NewtypeVariant { parent } => segments(parent),
    }
}

/// The names of the fields of a struct, as serde knows them.
pub(super) fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(FieldNames) {
        Err(Answer::Fields(fields)) => fields,
        Ok(_) | Err(Answer::NoStruct) => &[],
    }
}

/// Answers every struct with an error that carries the names of its fields.
struct FieldNames;

#[derive(Debug)]
enum Answer {
    Fields(&'static [&'static str]),
    NoStruct,
}

impl<'de> Deserializer<'de> for FieldNames {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer::NoStruct)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer::Fields(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl de::Error for Answer {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Answer::NoStruct
    }
}

impl std::error::Error for Answer {}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field names were asked for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_keys() {
        for table in raw::Main::tables().iter().chain(&raw::Site::tables()) {
            assert!(!table.keys.is_empty(), "{}", table.path);
        }
    }

    #[test]
    fn the_nearest_key_is_of_the_same_table_first() {
        let tables = raw::Main::tables();
        assert_eq!(nearest("client_idl", "limits", &tables).as_deref(), Some("client_idle"));
        assert_eq!(nearest("cleint_idle", "limits", &tables).as_deref(), Some("client_idle"));
        assert_eq!(nearest("client_idle", "", &tables).as_deref(), Some("limits.client_idle"));
        assert_eq!(nearest("entirely_else", "limits", &tables), None);
    }
}

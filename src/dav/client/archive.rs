//! Many small files in one answer: a folder's files as a tar archive (`GET FOLDER?accept=tar`,
//! Nextcloud 31). One request instead of one for each, which is what takes long.
//!
//! The archive is read whole, within a limit. Whatever is not in it as it was asked for is simply
//! not among what is given, and can be downloaded alone: an archive that breaks off, or a server
//! that makes none, loses nothing.

use std::collections::HashMap;
use std::io::Cursor;

use bytes::Bytes;
use http::header;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Body, Client, Error, Path, persist, succeeded, whole};

/// What a server gave of a folder.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Archived {
    /// Files by name.
    pub files: HashMap<String, Bytes>,
    /// Whether the server makes archives at all.
    pub is_known: bool,
}

/// The longest query: servers refuse request lines of more than 8 KiB.
const MAX_QUERY: usize = 6 << 10;
/// What an archive has besides the bytes of a file, at most: two headers, a long name, the padding.
const PER_FILE: usize = 3 << 10;
/// The two empty blocks at the end, and what libraries pad an archive with.
const END: usize = 64 << 10;

impl Client {
    /// The files of these names and sizes in a folder: as many of them as fit into one question,
    /// and as the server gives. They are all in memory at once.
    ///
    /// # Errors
    /// If there is no answer, or the credentials are refused; a server that makes no archives is
    /// no error.
    pub async fn archive(&self, folder: &Path, wanted: &[(&str, u64)]) -> Result<Archived, Error> {
        let (query, asked) = query(wanted);
        if asked.is_empty() {
            return Ok(Archived { is_known: true, ..Archived::default() });
        }
        let bytes: u64 = asked.values().sum();
        let limit = usize::try_from(bytes).unwrap_or(usize::MAX);
        let limit = limit.saturating_add(asked.len() * PER_FILE).saturating_add(END);
        let ask = || {
            let target = format!("{}/?accept=tar&files={query}", self.address(folder));
            let request = http::Request::builder()
                .method("GET")
                .uri(target)
                .header(header::ACCEPT, "application/x-tar");
            self.send(request, Body::Empty)
        };
        let answer = match succeeded(persist(ask).await?).await {
            Ok(answer) => answer,
            Err(error @ (Error::Refused | Error::Unanswered { .. })) => return Err(error),
            Err(error) if error.retry_after().is_some() || error.is_maintenance() => {
                return Err(error);
            }
            // One name that is gone spoils the whole answer.
            Err(error) if error.is_not_found() => {
                return Ok(Archived { is_known: true, ..Archived::default() });
            }
            Err(_) => return Ok(Archived::default()),
        };
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind != Some("application/x-tar") {
            return Ok(Archived::default());
        }
        let files = match whole(answer.into_body(), limit).await {
            Ok(bytes) => unpack(&bytes, &asked),
            // What breaks off in the middle has no length by which to tell.
            Err(_) => HashMap::new(),
        };
        Ok(Archived { files, is_known: true })
    }
}

/// A list of names as JSON, escaped; and those that found room in it.
fn query<'a>(wanted: &[(&'a str, u64)]) -> (String, HashMap<&'a str, u64>) {
    let mut query = String::from("%5B");
    let mut asked = HashMap::new();
    for (name, size) in wanted {
        let json = serde_json::Value::String((*name).to_owned()).to_string();
        let escaped = utf8_percent_encode(&json, NON_ALPHANUMERIC).to_string();
        if query.len() + escaped.len() + 6 > MAX_QUERY {
            break;
        }
        if !asked.is_empty() {
            query.push_str("%2C");
        }
        query.push_str(&escaped);
        asked.insert(*name, *size);
    }
    query.push_str("%5D");
    (query, asked)
}

/// The files that are there as they were asked for.
fn unpack(bytes: &Bytes, asked: &HashMap<&str, u64>) -> HashMap<String, Bytes> {
    let mut files = HashMap::new();
    let mut archive = tar::Archive::new(Cursor::new(bytes.as_ref()));
    let Ok(entries) = archive.entries() else { return files };
    // A header that makes no sense ends it: nothing after it can be trusted.
    for entry in entries.map_while(Result::ok) {
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path_bytes();
        let Ok(name) = std::str::from_utf8(&path) else { continue };
        let name = name.trim_start_matches('/');
        let (at, size) = (entry.raw_file_position(), entry.size());
        if asked.get(name) != Some(&size) {
            continue;
        }
        let range = usize::try_from(at).ok().zip(usize::try_from(size).ok());
        let Some((at, size)) = range else { continue };
        if at.checked_add(size).is_some_and(|end| end <= bytes.len()) {
            files.insert(name.to_owned(), bytes.slice(at..at + size));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(files: &[(&str, &str)]) -> Bytes {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_entry_type(tar::EntryType::Regular);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().into()
    }

    #[test]
    fn what_was_asked_for_is_unpacked() {
        let long = "é".repeat(120);
        let bytes = packed(&[("a", "one"), (&long, "two"), ("c", "three"), ("empty", "")]);
        let asked = HashMap::from([("a", 3), (long.as_str(), 3), ("c", 4), ("empty", 0)]);
        let files = unpack(&bytes, &asked);
        assert_eq!(files.len(), 3, "another size is another file: {files:?}");
        assert_eq!(files[&long], "two");
        assert_eq!(files["empty"], "");
    }

    #[test]
    fn an_archive_that_breaks_off_gives_what_is_whole() {
        let bytes = packed(&[("a", "one"), ("b", "two")]);
        let asked = HashMap::from([("a", 3), ("b", 3)]);
        for end in 0..bytes.len() {
            let files = unpack(&bytes.slice(..end), &asked);
            assert!(
                files.iter().all(|(name, text)| text == if name == "a" { "one" } else { "two" })
            );
        }
        assert!(unpack(&Bytes::from_static(&[b'x'; 2048]), &asked).is_empty());
    }

    #[test]
    fn a_question_is_never_too_long() {
        let names: Vec<String> = (0..500).map(|number| format!("é \"{number}\".txt")).collect();
        let wanted: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let (query, asked) = query(&wanted);
        assert!(query.len() <= MAX_QUERY && asked.len() > 50, "{} {}", query.len(), asked.len());
        let text = percent_encoding::percent_decode_str(&query).decode_utf8().unwrap();
        let list: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(list.len(), asked.len());
    }
}

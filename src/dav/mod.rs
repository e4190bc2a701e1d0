//! What Passeur must understand of WebDAV to carry it: which header fields name other resources,
//! which entity tags a proxy has bent, what kind of traffic a path is, and whose property a
//! multistatus answer shows.
//!
//! Everything here reads views of the bytes that came; what nobody must change is never written
//! anew. All input is hostile: a parser here answers `Malformed`, `None`, or passes on, and never
//! panics.

pub mod client;
pub mod destination;
pub mod etag;
pub mod multistatus;
pub mod path;
pub mod resource;

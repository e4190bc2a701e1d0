//! The proxy from end to end, row by row of the pitfalls that Nextcloud's users meet behind other
//! proxies. `docs/pitfalls.md` says which test proves which row.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test needs has to be there")]

mod addresses;
mod bodies;
mod connections;
mod documented;
mod handover;
mod identity;
mod limits;
mod replay;
mod semantics;
mod support;

//! Passeur, a reverse proxy for Nextcloud: it carries web, WebDAV, CalDAV and CardDAV traffic
//! unchanged, guides newcomers, and hands over what leavers own.
//!
//! Start reading at `docs/life-of-a-request.md`; everything is put together in [`cli`].

pub mod admin;
pub mod body;
pub mod cli;
mod coding;
pub mod config;
pub mod dav;
pub mod demo;
pub mod gateway;
pub mod intercept;
pub mod listen;
pub mod memory;
pub mod nextcloud;
pub mod observe;
pub mod pace;
mod rate;
pub mod site;
mod spread;
mod stamp;
pub mod store;
pub mod tls;
pub mod tours;
pub mod transfer;
pub mod upstream;
pub mod worker;

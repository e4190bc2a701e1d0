//! TLS on both sides; the only folder that imports rustls.

mod client;

pub use client::{ClientStream, ClientTls, Error as ClientError};

//! TLS on both sides; the only folder that imports rustls.

mod certificates;
mod client;
mod resolver;
pub mod self_signed;
mod server;
#[cfg(test)]
mod tests;

pub use certificates::{CertificateError, Certificates};
pub use client::{Authorities, ClientStream, ClientTls, Error as ClientError};
pub use server::{Accepted, HandshakeError, ServerStream, ServerTls};

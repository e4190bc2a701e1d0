//! One request on its way: routed, checked, cleaned.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderValue, Request};
use hyper::upgrade::OnUpgrade;

use crate::body::Body;
use crate::dav::path::Kind;
use crate::listen::Exchanges;
use crate::site::Site;

/// A request that has found its site; what layers work on.
pub struct Exchange {
    /// The request as it will be sent: forwarding fields set, hop-by-hop fields gone.
    pub request: Request<Body>,
    /// The site that it is for.
    pub site: Arc<Site>,
    /// What kind of traffic it is.
    pub kind: Kind,
    /// Whether the client reached us, or the trusted hop before us, by HTTPS.
    pub secure: bool,
    /// The authority the client asked for, port included.
    pub authority: Box<str>,
    /// Its name in logs and towards the origin.
    pub id: RequestId,
    /// The client, as far as trusted hops tell.
    pub client: Option<IpAddr>,
    /// The client's side of a WebSocket, if it asks for one.
    pub(super) upgrade: Option<Upgrade>,
}

/// A client that asks for a WebSocket.
pub(super) struct Upgrade {
    /// Its connection, once it has switched.
    pub(super) client: OnUpgrade,
    /// Where the tunnel is counted.
    pub(super) exchanges: Exchanges,
}

/// The name of a request, unique in practice: 16 hexadecimal digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// A new one.
    pub fn new() -> Self {
        static START: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let start = *START.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        let mut bits = mix(start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut digits = [0; 16];
        for digit in &mut digits {
            *digit = b"0123456789abcdef"[(bits & 15) as usize];
            bits >>= 4;
        }
        Self(digits)
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ever made of ASCII digits.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(super) fn to_value(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// Spreads consecutive numbers over all of them, without collisions (splitmix64).
fn mix(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let ids: std::collections::HashSet<String> =
            (0..10_000).map(|_| RequestId::new().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}

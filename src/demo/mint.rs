//! What the stand-in makes up: ids, tokens, etags, digests. Random bytes come from the kernel.

use std::time::{SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SMALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// `N` random bytes.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

fn fill(bytes: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "without randomness no session is safe to begin")]
    getrandom::fill(bytes).expect("the kernel gives random bytes");
}

/// A token of letters and digits.
pub(super) fn token(length: usize) -> String {
    pick(LETTERS, length)
}

/// A token of small letters and digits, as session ids are.
pub(super) fn small_token(length: usize) -> String {
    pick(SMALL, length)
}

/// An etag as a file gets it.
pub(super) fn etag() -> String {
    hex(&random::<16>())
}

/// MD5 in hex: `path_hash`, etags of calendar objects.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// SHA-256 in hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-512 in hex: how `oc_authtoken` keeps tokens.
pub(super) fn sha512_hex(bytes: &[u8]) -> String {
    hex(&Sha512::digest(bytes))
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A time as HTTP writes it.
pub(super) fn http_date(seconds: i64) -> String {
    httpdate::fmt_http_date(system_time(seconds))
}

/// A time as ISO 8601 writes it, in UTC.
pub(super) fn iso_date(seconds: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    let time = time.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// A time as the system counts it.
pub(super) fn system_time(seconds: i64) -> SystemTime {
    // Beyond the year 9999 HTTP has no way to write a date.
    let seconds = u64::try_from(seconds).unwrap_or(0).min(253_402_300_799);
    UNIX_EPOCH + std::time::Duration::from_secs(seconds)
}

fn pick(from: &[u8], length: usize) -> String {
    let mut bytes = vec![0; length];
    fill(&mut bytes);
    // The bias of a remainder does not matter for a token of this length.
    bytes.iter().map(|byte| char::from(from[usize::from(*byte) % from.len()])).collect()
}

//! Certificates for trying out and for tests. Nobody trusts them, and nobody should.

use std::time::SystemTime;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// The mean length of a year, seconds.
const YEAR: u64 = 31_556_952;

/// Makes a certificate for `hosts` (names, `*.` wildcards, addresses), signed by itself and valid
/// for a year or two. Gives the certificate and its private key as PEM.
///
/// # Errors
/// If a host is neither name nor address.
pub fn generate(hosts: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let year = 1970 + i32::try_from(since_1970.as_secs() / YEAR).unwrap_or_default();
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + 2, 1, 1);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

//! Certificates for trying out and for tests. Nobody trusts them, and nobody should.

/// Makes a certificate for `hosts` (names, `*.` wildcards, addresses), signed by itself. Gives the
/// certificate and its private key as PEM.
///
/// # Errors
/// If a host is neither name nor address.
pub fn generate(hosts: &[String]) -> Result<(String, String), rcgen::Error> {
    let made = rcgen::generate_simple_self_signed(hosts)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

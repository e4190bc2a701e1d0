//! The PROXY protocol, versions 1 and 2: who the client behind a TCP balancer is.
//!
//! The header is believed, and required, from configured addresses only. From everyone else it is
//! never looked for: its bytes then are a broken TLS handshake or HTTP request, and are refused as
//! such. It is read in bounded pieces, and first as a whole found and only then parsed, so that no
//! split of its bytes can change what it means. What was read beyond it belongs to the next layer.
//!
//! A header that cannot be read closes the connection: whoever misconfigured a balancer sees it at
//! once, instead of every client under one address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Connection;

/// The longest header of version 1.
const V1_BYTES: usize = 107;
/// The fixed part of a header of version 2, which tells its length.
const V2_FIXED: usize = 16;
/// The longest header of version 2 that is read: 232 bytes of addresses, the rest for extensions.
const V2_BYTES: usize = 4 << 10;
/// The client spoke TLS with the balancer.
const CLIENT_SSL: u8 = 1;

/// What a header says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// Client and destination; `None`: the balancer speaks for itself, or cannot tell.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Whether the client spoke TLS with the balancer.
    pub secure: bool,
    /// The server name it asked for.
    pub server_name: Option<Arc<str>>,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ended before its header did.
    #[error("connection ended within the header")]
    Ended,
    /// The extensions contradict the length, or a value cannot be.
    #[error("header holds what cannot be read")]
    Extension,
    /// Reading failed.
    #[error("failed to read")]
    Io(#[from] io::Error),
    /// It does not begin like a header.
    #[error("no header where one is required")]
    Missing,
    /// It goes on beyond any sensible length.
    #[error("header is too long")]
    TooLong,
    /// A header of version 1 that cannot be parsed.
    #[error("failed to parse the header of version 1")]
    V1(#[source] v1::BinaryParseError),
    /// A header of version 2 that cannot be parsed.
    #[error("failed to parse the header of version 2")]
    V2(#[source] v2::ParseError),
}

/// Reads a header, and gives it with what was read beyond it.
///
/// # Errors
/// [`Error`] if there is none that can be read.
pub async fn read(io: &mut (impl AsyncRead + Unpin)) -> Result<(Header, Bytes), Error> {
    let mut bytes = BytesMut::with_capacity(V1_BYTES.max(256));
    loop {
        if let Some(length) = length(&bytes)?
            && bytes.len() >= length
        {
            let header = parse(&bytes.split_to(length))?;
            return Ok((header, bytes.freeze()));
        }
        if io.read_buf(&mut bytes).await? == 0 {
            return Err(Error::Ended);
        }
    }
}

/// How long the header at the beginning of `bytes` is; `None` while that cannot be told.
///
/// # Errors
/// If it is no header, or too long.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, Error> {
    let begins_like = |prefix: &[u8]| {
        let common = bytes.len().min(prefix.len());
        bytes[..common] == prefix[..common]
    };
    if begins_like(v2::PROTOCOL_PREFIX) {
        let Some(fixed) = bytes.get(..V2_FIXED) else { return Ok(None) };
        let length = V2_FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
        return if length <= V2_BYTES { Ok(Some(length)) } else { Err(Error::TooLong) };
    }
    if !begins_like(b"PROXY ") {
        return Err(Error::Missing);
    }
    match memchr::memchr(b'\n', &bytes[..bytes.len().min(V1_BYTES)]) {
        Some(end) => Ok(Some(end + 1)),
        None if bytes.len() >= V1_BYTES => Err(Error::TooLong),
        None => Ok(None),
    }
}

/// Parses a whole header and nothing else.
///
/// # Errors
/// If it cannot be parsed.
pub fn parse(bytes: &[u8]) -> Result<Header, Error> {
    if bytes.starts_with(v2::PROTOCOL_PREFIX) { parse_v2(bytes) } else { parse_v1(bytes) }
}

fn parse_v1(bytes: &[u8]) -> Result<Header, Error> {
    let header = v1::Header::try_from(bytes).map_err(Error::V1)?;
    if header.header.len() != bytes.len() {
        return Err(Error::Extension);
    }
    let addresses = match header.addresses {
        v1::Addresses::Tcp4(ip) => Some((
            address(ip.source_address, ip.source_port),
            address(ip.destination_address, ip.destination_port),
        )),
        v1::Addresses::Tcp6(ip) => Some((
            address(ip.source_address, ip.source_port),
            address(ip.destination_address, ip.destination_port),
        )),
        v1::Addresses::Unknown => None,
    };
    Ok(Header { addresses, ..Header::default() })
}

fn parse_v2(bytes: &[u8]) -> Result<Header, Error> {
    let header = v2::Header::try_from(bytes).map_err(Error::V2)?;
    if header.command == v2::Command::Local {
        return Ok(Header::default());
    }
    let addresses = match header.addresses {
        _ if header.protocol == v2::Protocol::Datagram => return Err(Error::Extension),
        v2::Addresses::IPv4(ip) => Some((
            address(ip.source_address, ip.source_port),
            address(ip.destination_address, ip.destination_port),
        )),
        v2::Addresses::IPv6(ip) => Some((
            address(ip.source_address, ip.source_port),
            address(ip.destination_address, ip.destination_port),
        )),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    };
    let mut parsed = Header { addresses, ..Header::default() };
    if addresses.is_some() || matches!(header.addresses, v2::Addresses::Unix(_)) {
        parsed.read_extensions(&header)?;
    }
    Ok(parsed)
}

fn address(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into().to_canonical(), port)
}

// === impl Header ===

impl Header {
    /// Writes what it says over what the socket says.
    pub(super) fn apply(self, connection: &mut Connection) {
        if let Some((client, destination)) = self.addresses {
            connection.peer = Some(client);
            connection.local = Some(destination);
            connection.proxied = true;
        }
        connection.secure |= self.secure;
        connection.server_name = self.server_name;
    }

    fn read_extensions(&mut self, header: &v2::Header<'_>) -> Result<(), Error> {
        for extension in header.tlvs() {
            let extension = extension.map_err(Error::V2)?;
            if extension.kind == v2::Type::SSL as u8 {
                let flags = extension.value.first().ok_or(Error::Extension)?;
                self.secure = flags & CLIENT_SSL != 0;
            } else if extension.kind == v2::Type::Authority as u8 {
                self.server_name = server_name(&extension.value);
            }
        }
        Ok(())
    }
}

/// A server name as TLS would give it; anything else is ignored.
fn server_name(bytes: &[u8]) -> Option<Arc<str>> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let fits = !bytes.is_empty() && bytes.len() <= 253 && bytes.iter().all(allowed);
    let name = std::str::from_utf8(bytes).ok().filter(|_| fits)?;
    Some(name.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2_header(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = v2::PROTOCOL_PREFIX.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn v2_tcp4(extensions: &[u8]) -> Vec<u8> {
        let mut payload = vec![192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 1, 187];
        payload.extend(extensions);
        v2_header(0x21, 0x11, &payload)
    }

    fn client() -> Option<(SocketAddr, SocketAddr)> {
        Some(("192.0.2.7:12345".parse().unwrap(), "198.51.100.1:443".parse().unwrap()))
    }

    /// Reads from a stream that gives `piece` bytes at a time.
    fn read_split(bytes: &[u8], piece: usize) -> Result<(Header, Vec<u8>), Error> {
        let mut stream = tokio_test_stream(bytes, piece);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (header, surplus) = read(&mut stream).await?;
            let mut rest = surplus.to_vec();
            stream.read_to_end(&mut rest).await?;
            Ok((header, rest))
        })
    }

    fn tokio_test_stream(bytes: &[u8], piece: usize) -> impl AsyncRead + Unpin + use<> {
        let pieces: Vec<_> = bytes
            .chunks(piece.max(1))
            .map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece)))
            .collect();
        tokio_util::io::StreamReader::new(futures_util::stream::iter(pieces))
    }

    #[test]
    fn version_1_gives_addresses() {
        let bytes = b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\nGET / HTTP/1.1\r\n";
        let (header, rest) = read_split(bytes, 1000).unwrap();
        assert_eq!(header, Header { addresses: client(), ..Header::default() });
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
    }

    #[test]
    fn version_1_of_unknown_keeps_the_sockets_addresses() {
        let (header, rest) = read_split(b"PROXY UNKNOWN ff 1 2 3\r\nrest", 3).unwrap();
        assert_eq!(header, Header::default());
        assert_eq!(rest, b"rest");
    }

    #[test]
    fn version_2_gives_addresses_and_tls() {
        let ssl = [0x20, 0, 5, 1, 0, 0, 0, 0];
        let authority = b"\x02\x00\x11Cloud.Example.Org";
        let (header, rest) = read_split(&v2_tcp4(&[&ssl[..], authority].concat()), 7).unwrap();
        assert_eq!(header.addresses, client());
        assert!(header.secure);
        assert_eq!(header.server_name.as_deref(), Some("cloud.example.org"));
        assert!(rest.is_empty());
    }

    #[test]
    fn version_2_without_the_tls_flag_is_plain() {
        let ssl = [0x20, 0, 5, 0, 0, 0, 0, 0];
        assert!(!read_split(&v2_tcp4(&ssl), 7).unwrap().0.secure);
    }

    #[test]
    fn local_keeps_the_sockets_addresses() {
        let (header, _) = read_split(&v2_header(0x20, 0, &[]), 1000).unwrap();
        assert_eq!(header, Header::default());
        let mut local = v2_tcp4(&[]);
        local[12] = 0x20;
        assert_eq!(read_split(&local, 1000).unwrap().0, Header::default());
    }

    #[test]
    fn a_mapped_address_is_shown_as_ipv4() {
        let bytes = b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 12345 443\r\n";
        assert_eq!(read_split(bytes, 9).unwrap().0.addresses, client());
    }

    #[test]
    fn what_is_no_header_is_refused_at_its_first_bytes() {
        assert!(matches!(read_split(b"GET", 1), Err(Error::Missing)));
        assert!(matches!(read_split(b"\x16\x03\x01", 1), Err(Error::Missing)));
        assert!(matches!(read_split(b"PROXY", 1), Err(Error::Ended)));
    }

    #[test]
    fn long_headers_are_refused_before_they_are_read() {
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        assert!(matches!(read_split(&endless, 1), Err(Error::TooLong)));
        let mut large = v2_tcp4(&[]);
        large[14] = 0xff;
        assert!(matches!(read_split(&large, 1), Err(Error::TooLong)));
    }

    #[test]
    fn lengths_that_contradict_are_refused() {
        assert!(read_split(&v2_header(0x21, 0x11, &[0; 11]), 5).is_err());
        assert!(read_split(&v2_tcp4(&[0x20, 0, 9, 1]), 5).is_err());
        assert!(read_split(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", 5).is_err());
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same(
            tail in proptest::collection::vec(any::<u8>(), 0..64),
            extension in proptest::collection::vec(any::<u8>(), 0..300),
            piece in 1usize..40,
            version in 0..2,
        ) {
            let mut noop = vec![4, 0, 0];
            noop[1..].copy_from_slice(&u16::try_from(extension.len()).unwrap().to_be_bytes());
            noop.extend(extension);
            let mut bytes = match version {
                0 => b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n".to_vec(),
                _ => v2_tcp4(&noop),
            };
            bytes.extend(&tail);
            let (header, rest) = read_split(&bytes, piece).unwrap();
            prop_assert_eq!(header.addresses, client());
            prop_assert_eq!(rest, tail);
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_split(&bytes, 13);
            let _ = read_split(&[v2::PROTOCOL_PREFIX, &bytes].concat(), 13);
            let _ = read_split(&[b"PROXY ", &bytes[..]].concat(), 13);
        }
    }
}

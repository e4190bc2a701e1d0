//! Listening sockets, bound before anything else runs, so that an address in use is the first
//! thing an operator reads and not the last.
//!
//! Sockets stay plain `std` ones: any runtime can take them, and they can be handed to a new
//! process. An IPv6 wildcard takes IPv4 clients too, unless an IPv4 wildcard of the same port is
//! configured beside it. A unix socket left over by a process that died is replaced; a file that is
//! no socket, or on which somebody listens, never is.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use listenfd::ListenFd;
use socket2::{Domain, SockAddr, SockRef, TcpKeepalive, Type};

use super::stream::Socket;
use crate::config::checked::Endpoint;

/// Connections that the kernel keeps until they are accepted; it may have a lower limit.
const BACKLOG: i32 = 4096;
/// Who may connect to a unix socket: owner and group.
const UNIX_MODE: u32 = 0o660;
/// A dead client is noticed after about this and eight more probes.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_PROBE: Duration = Duration::from_secs(15);

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    /// Whether its connections begin with TLS.
    pub secure: bool,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix { unix: UnixListener, _file: Option<SocketFile> },
}

/// A listening socket without anything around it.
#[derive(Debug)]
pub enum Bare {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

/// The file of a unix socket; removed with it, if it is still the same.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// A listener that a runtime watches.
#[derive(Debug)]
pub(super) struct Listening {
    kind: Watched,
    pub(super) secure: bool,
    pub(super) address: Address,
    /// Its file goes with it.
    _listener: Listener,
}

#[derive(Debug)]
enum Watched {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// Where a listener really is, with the port that the kernel chose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket; empty if it has no path.
    Unix(PathBuf),
}

/// An accepted connection that belongs to no runtime yet; it does not block.
#[derive(Debug)]
pub enum Incoming {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// Sockets that systemd passed.
pub struct Inherited {
    sockets: ListenFd,
    names: Vec<String>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be bound.
    #[error("failed to listen on {address}: {}", hint(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error("failed to listen on {}: another process already does", .0.display())]
    InUse(PathBuf),
    /// There is a file which is no socket.
    #[error("failed to listen on {}: it exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// systemd passed nothing under that name.
    #[error("found no socket {name:?} among those passed by systemd ({})", known.join(", "))]
    NotPassed {
        /// The name or position.
        name: String,
        /// The names of those that were passed.
        known: Vec<String>,
    },
    /// What systemd passed is not a stream socket.
    #[error("failed to use the socket {name:?} passed by systemd")]
    Passed {
        /// The name or position.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The path cannot be bound.
    #[error("failed to listen on {}", path.display())]
    Unix {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What to do about it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there; stop it, or choose another address or port 0"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE, or systemd socket activation)"
        }
        _ => "the system refused",
    }
}

/// Binds everything, or nothing.
///
/// # Errors
/// [`Error`] for the first that cannot be bound.
pub fn bind(
    http: &[Endpoint],
    https: &[Endpoint],
    inherited: &mut Inherited,
) -> Result<Vec<Listener>, Error> {
    let wildcard_ports: Vec<u16> = http
        .iter()
        .chain(https)
        .filter_map(|endpoint| match endpoint {
            Endpoint::Tcp(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => Some(v4.port()),
            _ => None,
        })
        .collect();
    let all = http.iter().map(|one| (one, false)).chain(https.iter().map(|one| (one, true)));
    all.map(|(endpoint, secure)| {
        let kind = match endpoint {
            Endpoint::Tcp(address) => {
                let v6_only = address.port() != 0 && wildcard_ports.contains(&address.port());
                bind_tcp(*address, v6_only)
                    .map(Kind::Tcp)
                    .map_err(|source| Error::Bind { address: *address, source })?
            }
            Endpoint::Unix(path) => bind_unix(path)?,
            Endpoint::Systemd(name) => inherited.take(name)?,
        };
        Ok(Listener { kind, secure })
    })
    .collect()
}

fn bind_tcp(address: SocketAddr, v6_only: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> Result<Kind, Error> {
    clear_unix(path)?;
    let bound = || -> io::Result<_> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Nobody can connect before `listen`, so the mode is never too wide.
        fs::set_permissions(path, fs::Permissions::from_mode(UNIX_MODE))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let identity = identity(path)?;
        let file = SocketFile { path: path.to_owned(), identity };
        Ok(Kind::Unix { unix: socket.into(), _file: Some(file) })
    };
    bound().map_err(|source| Error::Unix { path: path.to_owned(), source })
}

/// Removes a socket file on which nobody listens.
fn clear_unix(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Unix { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(Error::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        _ => Err(Error::InUse(path.to_owned())),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Nothing else can be done about it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

// === impl Inherited ===

impl Inherited {
    /// Takes what systemd passed; to be called once.
    #[must_use]
    pub fn take_all() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').filter(|_| !names.is_empty()).map(str::to_owned).collect();
        Self { sockets: ListenFd::from_env(), names }
    }

    /// Nothing was passed.
    #[must_use]
    pub fn none() -> Self {
        Self { sockets: ListenFd::empty(), names: Vec::new() }
    }

    /// Takes a socket by its name; or by its position from 0, if no name is that number.
    fn take(&mut self, name: &str) -> Result<Kind, Error> {
        let named = self.names.iter().position(|known| known == name);
        let position = named.or_else(|| name.parse().ok()).filter(|&at| at < self.sockets.len());
        let not_passed = || Error::NotPassed { name: name.to_owned(), known: self.names.clone() };
        let position = position.ok_or_else(not_passed)?;
        let listener = match self.sockets.take_tcp_listener(position) {
            Ok(tcp) => tcp.map(Kind::Tcp),
            Err(_) => self
                .sockets
                .take_unix_listener(position)
                .map_err(|source| Error::Passed { name: name.to_owned(), source })?
                .map(|unix| Kind::Unix { unix, _file: None }),
        };
        if let Some(named) = named {
            // Several sockets may have the same name; the next one is for the next asker.
            self.names[named].clear();
        }
        let listener = listener
            .ok_or_else(|| Error::NotPassed { name: name.to_owned(), known: self.names.clone() })?;
        match &listener {
            Kind::Tcp(tcp) => tcp.set_nonblocking(true),
            Kind::Unix { unix, .. } => unix.set_nonblocking(true),
        }
        .map_err(|source| Error::Passed { name: name.to_owned(), source })?;
        Ok(listener)
    }
}

// === impl Listener ===

impl Listener {
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Address {
        match &self.kind {
            Kind::Tcp(tcp) => {
                tcp.local_addr().map_or_else(|_| Address::Unix(PathBuf::new()), Address::Tcp)
            }
            Kind::Unix { unix, .. } => {
                let address = unix.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                Address::Unix(path.map(Path::to_owned).unwrap_or_default())
            }
        }
    }
}

impl Listener {
    /// The bare socket, for a server other than ours. A unix socket's file stays behind.
    #[must_use]
    pub fn into_bare(self) -> Bare {
        match self.kind {
            Kind::Tcp(tcp) => Bare::Tcp(tcp),
            Kind::Unix { unix, _file: file } => {
                // Removing it now would leave a socket that nobody can find.
                std::mem::forget(file);
                Bare::Unix(unix)
            }
        }
    }
}

// === impl Listening ===

impl Listening {
    /// Lets the calling runtime watch a listener.
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        let Listener { kind, secure } = &listener;
        let (secure, address) = (*secure, listener.address());
        let kind = match kind {
            Kind::Tcp(tcp) => Watched::Tcp(tokio::net::TcpListener::from_std(tcp.try_clone()?)?),
            Kind::Unix { unix, .. } => {
                Watched::Unix(tokio::net::UnixListener::from_std(unix.try_clone()?)?)
            }
        };
        Ok(Self { kind, secure, address, _listener: listener })
    }

    /// Waits for a connection.
    pub(super) async fn accept(&self) -> io::Result<Incoming> {
        match &self.kind {
            Watched::Tcp(tcp) => tcp.accept().await?.0.into_std().map(Incoming::Tcp),
            Watched::Unix(unix) => unix.accept().await?.0.into_std().map(Incoming::Unix),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

// === impl Incoming ===

impl Incoming {
    /// Gives it to the calling runtime. Small answers are sent at once, and clients that vanish
    /// without a word are noticed.
    ///
    /// # Errors
    /// If the socket is gone already.
    pub fn into_socket(self) -> io::Result<Socket> {
        match self {
            Incoming::Tcp(stream) => {
                stream.set_nodelay(true)?;
                let keepalive =
                    TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_PROBE);
                SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                Ok(tokio::net::TcpStream::from_std(stream)?.into())
            }
            Incoming::Unix(stream) => Ok(tokio::net::UnixStream::from_std(stream)?.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind_one(endpoint: Endpoint) -> Result<Listener, Error> {
        let mut listeners = bind(&[endpoint], &[], &mut Inherited::none())?;
        Ok(listeners.remove(0))
    }

    fn port(listener: &Listener) -> u16 {
        match listener.address() {
            Address::Tcp(address) => address.port(),
            Address::Unix(path) => panic!("no port at {}", path.display()),
        }
    }

    #[test]
    fn port_zero_is_reported_as_it_was_chosen() {
        let listener = bind_one(Endpoint::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        assert_ne!(port(&listener), 0);
    }

    #[test]
    fn an_address_in_use_is_named_with_a_way_out() {
        let first = bind_one(Endpoint::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port(&first)));
        let error = bind_one(Endpoint::Tcp(address)).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(error.contains("another process listens there"), "{error}");
    }

    #[test]
    fn both_wildcards_of_a_port_can_be_bound() {
        let free = bind_one(Endpoint::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let port = port(&free);
        drop(free);
        let both = [
            Endpoint::Tcp(SocketAddr::from(([0, 0, 0, 0], port))),
            Endpoint::Tcp(SocketAddr::from(([0; 16], port))),
        ];
        match bind(&both, &[], &mut Inherited::none()) {
            Ok(listeners) => assert_eq!(listeners.len(), 2),
            // Somebody took the port, or there is no IPv6 here.
            Err(error) => println!("skipped: {error}"),
        }
    }

    #[test]
    fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let live = bind_one(Endpoint::Unix(path.clone())).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, UNIX_MODE);
        let again = bind_one(Endpoint::Unix(path.clone()));
        assert!(matches!(again, Err(Error::InUse(_))), "{again:?}");
        drop(live);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_file_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let old = bind_one(Endpoint::Unix(path.clone())).unwrap();
        fs::remove_file(&path).unwrap();
        let _new = UnixListener::bind(&path).unwrap();
        drop(old);
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "data").unwrap();
        let outcome = bind_one(Endpoint::Unix(path.clone()));
        assert!(matches!(outcome, Err(Error::NotASocket(_))), "{outcome:?}");
        assert_eq!(fs::read(&path).unwrap(), b"data");
    }

    #[test]
    fn a_socket_that_systemd_did_not_pass_is_an_error() {
        let outcome = bind_one(Endpoint::Systemd("https".into()));
        assert!(matches!(outcome, Err(Error::NotPassed { .. })), "{outcome:?}");
    }
}

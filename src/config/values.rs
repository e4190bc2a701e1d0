//! How the text of single values is read: durations, sizes, addresses, host names, targets.
//!
//! Every reader takes any text and answers with a value that cannot be wrong any more, or with a
//! [`Fault`] that says what to write instead. None of them touches the network or a file.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::checked::{AccessLog, Cloud, Endpoint, HostPattern, Peer, Target, TargetAddress};
use super::fault::Fault;
use super::given::Value;

/// A whole number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(pub(super) u64);

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size(pub(super) u64);

/// A value that can be switched off.
#[derive(Clone, Debug)]
pub(super) enum Off<T> {
    Off,
    On(T),
}

/// A host of a site: a pattern, or `*` for every host.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Host {
    Any,
    Pattern(HostPattern),
}

/// A path prefix, without a slash at its end.
#[derive(Clone, Debug)]
pub(super) struct Prefix(pub(super) String);

/// A target, before it is known whether HTTP/2 is spoken.
#[derive(Clone, Debug)]
pub(super) struct TargetUrl(pub(super) Target);

/// A Nextcloud elsewhere.
#[derive(Clone, Debug)]
pub(super) struct CloudUrl(pub(super) Cloud);

const UNITS_OF_TIME: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const UNITS_OF_SIZE: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

// === impl Value ===

impl Value for Duration {
    const WANTED: &'static str = "a duration, such as \"75s\", \"10m\" or \"1h\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        let millis = amount(text, &UNITS_OF_TIME);
        Some(millis.map(Duration::from_millis).ok_or_else(|| Fault::Duration(text.to_owned())))
    }

    fn from_integer(integer: i64) -> Option<Result<Self, Fault>> {
        Some(Err(Fault::Duration(integer.to_string())))
    }
}

impl Value for Size {
    const WANTED: &'static str = "a size, such as \"128 KiB\" or \"16 MiB\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        let bytes = amount(text, &UNITS_OF_SIZE);
        Some(bytes.map(Size).ok_or_else(|| Fault::Size(text.to_owned())))
    }

    fn from_integer(integer: i64) -> Option<Result<Self, Fault>> {
        Some(Err(Fault::Size(integer.to_string())))
    }
}

impl Value for Count {
    const WANTED: &'static str = "a whole number";

    fn from_integer(integer: i64) -> Option<Result<Self, Fault>> {
        Some(u64::try_from(integer).map(Count).map_err(|_| Fault::Negative))
    }
}

impl<T: Value> Value for Off<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        if text == "off" {
            return Some(Ok(Off::Off));
        }
        T::from_text(text).map(|read| read.map(Off::On))
    }

    fn from_integer(integer: i64) -> Option<Result<Self, Fault>> {
        T::from_integer(integer).map(|read| read.map(Off::On))
    }
}

impl Value for Endpoint {
    const WANTED: &'static str = "an address, such as \"[::]:443\" or \"unix:/run/passeur.sock\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(endpoint(text))
    }

    fn from_integer(integer: i64) -> Option<Result<Self, Fault>> {
        Some(Err(Fault::Endpoint(integer.to_string())))
    }
}

impl Value for AccessLog {
    const WANTED: &'static str = "\"off\", \"stdout\" or \"file:PATH\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(match (text, text.strip_prefix("file:")) {
            ("off", _) => Ok(AccessLog::Off),
            ("stdout", _) => Ok(AccessLog::Stdout),
            (_, Some(path)) if !path.is_empty() => Ok(AccessLog::File(PathBuf::from(path))),
            _ => Err(Fault::AccessLog(text.to_owned())),
        })
    }
}

impl Value for Peer {
    const WANTED: &'static str = "a network, such as \"10.0.0.0/8\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(if text == "unix" { Ok(Peer::Unix) } else { network(text).map(Peer::Net) })
    }
}

impl Value for HostPattern {
    const WANTED: &'static str = "a host name in quotes";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(host_pattern(text))
    }
}

impl Value for Host {
    const WANTED: &'static str = "a host name in quotes";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(if text == "*" { Ok(Host::Any) } else { host_pattern(text).map(Host::Pattern) })
    }
}

impl Value for Prefix {
    const WANTED: &'static str = "a path in quotes, such as \"/push\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(prefix(text).map(Prefix))
    }
}

impl Value for TargetUrl {
    const WANTED: &'static str = "an origin, such as \"http://10.0.0.5:80\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(target(text).map(TargetUrl))
    }
}

impl Value for CloudUrl {
    const WANTED: &'static str = "an address, such as \"https://cloud.example.net\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(cloud(text).map(CloudUrl))
    }
}

// === readers ===

/// A whole number with one of the units, in the smallest of them; `None` also where it is too
/// large to be meant.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn endpoint(text: &str) -> Result<Endpoint, Fault> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.starts_with('/') {
            true => Ok(Endpoint::Unix(PathBuf::from(path))),
            false => Err(Fault::UnixPath),
        };
    }
    if let Some(name) = text.strip_prefix("systemd:") {
        return match name.is_empty() || name.chars().any(|c| c.is_control() || c == ':') {
            true => Err(Fault::Endpoint(text.to_owned())),
            false => Ok(Endpoint::Systemd(name.to_owned())),
        };
    }
    text.parse::<SocketAddr>().map(Endpoint::Tcp).map_err(|_| Fault::Endpoint(text.to_owned()))
}

fn network(text: &str) -> Result<IpNet, Fault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network = text.parse::<IpNet>().map_err(|_| Fault::Network(text.to_owned()))?;
    if network.trunc() != network {
        return Err(Fault::NetworkBits { given: network, meant: network.trunc() });
    }
    Ok(network)
}

/// `example.org`, `*.example.org`, `192.0.2.1` or `[2001:db8::1]`.
pub(super) fn host_pattern(text: &str) -> Result<HostPattern, Fault> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = inner.parse::<Ipv6Addr>().map_err(|_| Fault::host(text))?;
        return Ok(HostPattern::Exact(format!("[{address}]")));
    }
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !name.is_ascii() {
        return Err(Fault::HostUnicode(text.to_owned()));
    }
    let lower = name.to_ascii_lowercase();
    if !is_name(&lower, false) || (wildcard && lower.parse::<IpAddr>().is_ok()) {
        return Err(Fault::host(text));
    }
    Ok(if wildcard { HostPattern::Wildcard(lower) } else { HostPattern::Exact(lower) })
}

/// Whether it is a host name: labels of 1 to 63 letters, digits, `-` and `_`, 253 in all. In the
/// name of a target, one label may hold `{label}`.
fn is_name(name: &str, template: bool) -> bool {
    let filled = if template { name.replace("{label}", "x") } else { name.to_owned() };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    filled.len() <= 253 && filled.split('.').all(label)
}

fn prefix(text: &str) -> Result<String, Fault> {
    let wrong = || Err(Fault::Prefix(text.to_owned()));
    let Some(rest) = text.strip_prefix('/') else { return wrong() };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Err(Fault::PrefixRoot);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&b);
    let segment = |s: &str| !matches!(s, "" | "." | "..") && s.bytes().all(allowed);
    if rest.split('/').all(segment) { Ok(format!("/{rest}")) } else { wrong() }
}

fn target(text: &str) -> Result<Target, Fault> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.starts_with('/') && !path.chars().any(char::is_control) {
            true => Ok(Target { tls: false, http2: false, address: unix(path) }),
            false => Err(Fault::UnixPath),
        };
    }
    if text.contains('@') {
        return Err(Fault::TargetSecret);
    }
    let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ if text.contains("://") => return Err(Fault::Target(text.to_owned())),
        _ => return Err(Fault::TargetScheme(text.to_owned())),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(Fault::TargetPath(text.to_owned()));
    }
    let wrong = || Fault::Target(text.to_owned());
    let (host, port) = split_port(authority).ok_or_else(wrong)?;
    let port = match port {
        None if tls => 443,
        None => 80,
        Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
    };
    Ok(Target { tls, http2: false, address: tcp(host, port).ok_or_else(wrong)? })
}

/// `https://HOST[:PORT][/FOLDER]`.
fn cloud(text: &str) -> Result<Cloud, Fault> {
    let wrong = || Fault::Cloud(text.to_owned());
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let rest = rest.trim_end_matches('/');
    let (authority, folder) = match rest.find('/') {
        Some(slash) => (&rest[..slash], prefix(&rest[slash..]).map_err(|_| wrong())?),
        None => (rest, String::new()),
    };
    let target = target(&format!("{scheme}://{authority}")).map_err(|fault| match fault {
        Fault::TargetSecret => fault,
        _ => wrong(),
    })?;
    match &target.address {
        TargetAddress::Tcp { host, .. } if !host.contains('{') => Ok(Cloud { target, folder }),
        _ => Err(wrong()),
    }
}

fn unix(path: &str) -> TargetAddress {
    TargetAddress::Unix(PathBuf::from(path))
}

fn tcp(host: &str, port: u16) -> Option<TargetAddress> {
    let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner?.parse::<Ipv6Addr>().ok()?.to_string(),
        None if is_name(host, true) => host.to_ascii_lowercase(),
        None => return None,
    };
    Some(TargetAddress::Tcp { host, port })
}

/// Cuts the port off; a colon within brackets is none.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let after = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority.get(after..)?.split_once(':') {
        None => Some((authority, None)),
        Some((host, port)) => {
            Some((authority.get(..after + host.len())?, Some(port).filter(|port| !port.is_empty())))
        }
    }
}

/// A duration in the largest unit that shows it whole.
pub(super) fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &UNITS_OF_TIME, "")
}

/// A size in the largest unit that shows it whole.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, &UNITS_OF_SIZE, " ")
}

fn show(amount: u64, units: &[(&str, u64)], space: &str) -> String {
    let fits = |(_, factor): &&(&str, u64)| amount >= *factor && amount.is_multiple_of(*factor);
    let (unit, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{}{space}{unit}", amount / factor)
}

//! From what a client sent to an [`Exchange`], or to the answer it gets instead.
//!
//! Everything that could be read in two ways is refused here, before a site sees it: no host or
//! two, a host that differs from the authority, CONNECT and TRACE, an expectation that cannot be
//! met. The request target is never decoded, normalised or re-encoded (A45); only its authority, if
//! it has one, is taken off (A48).

use std::net::IpAddr;

use http::header::{EXPECT, HOST, LOCATION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;

use super::exchange::Upgrade;
use super::record::Record;
use super::{Exchange, Refusal, Settings, Shared, fields};
use crate::body::Body;
use crate::dav::path::Kind;
use crate::listen::Connection;
use crate::site::{Found, Site};

/// What becomes of a request.
pub(super) enum Received {
    /// It goes on.
    Exchange(Box<Exchange>),
    /// It is answered here, in order: a redirect.
    Answer(Box<Response<Body>>),
}

/// Checks a request, finds its site, and cleans its fields.
pub(super) fn receive(
    shared: &Shared,
    settings: &Settings,
    connection: &Connection,
    mut request: Request<Incoming>,
    record: &mut Record,
) -> Result<Received, Refusal> {
    refuse_methods(request.method())?;
    refuse_expectations(request.headers())?;
    let authority = authority(&request)?;
    let host = Host::parse(&authority).ok_or_else(Refusal::bad_host)?;
    let hop = Hop::of(connection, settings, request.headers());
    record.client(hop.client);

    let found = shared.table.load().find(&host.name);
    let site = match found {
        Some(Found::Site(site)) => site,
        Some(Found::Redirect { site, host }) => {
            record.site_is(site, Kind::Web);
            let to = Redirect { secure: hop.secure, host: &host, port: host_port(&authority) };
            return to.answer(&request);
        }
        None => {
            shared.unknown_hosts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return Err(Refusal::unknown_host());
        }
    };
    let kind = Kind::of_path(request.uri().path());
    record.site_is(site.clone(), kind);
    if let Some(answer) = to_https(&site, settings, &hop, &host, &request)? {
        return Ok(Received::Answer(Box::new(answer)));
    }
    if site.config.answer_well_known
        && let Some(answer) = well_known(request.uri().path())
    {
        return Ok(Received::Answer(Box::new(answer)));
    }
    let upgrade = websocket(&mut request, connection);
    let version = request.version();
    let (parts, incoming) = request.into_parts();
    let mut request = Request::from_parts(parts, Body::from_client(incoming, settings.patience));
    origin_form(&mut request)?;
    let headers = request.headers_mut();
    fields::join_cookies(headers, version);
    fields::clean_request(headers, hop.trusted);
    fields::drop_own_app(headers, &site.config.access.app);
    hop.forward(headers, connection, record);
    headers.insert(HOST, authority_value(&authority)?);
    record.upload(request.body());
    let exchange = Exchange {
        request,
        site,
        kind: if upgrade.is_some() { Kind::WebSocket } else { kind },
        secure: hop.secure,
        authority: authority.into(),
        id: record.id(),
        client: hop.client,
        upgrade,
    };
    Ok(Received::Exchange(Box::new(exchange)))
}

fn refuse_methods(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::CONNECT | Method::TRACE => Err(Refusal::method_not_allowed()),
        _ => Ok(()),
    }
}

/// `100-continue` is answered by the server when the origin begins to take the body (A26).
fn refuse_expectations(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut all = headers.get_all(EXPECT).iter();
    if all.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Ok(());
    }
    Err(Refusal::expectation_failed())
}

/// The one authority that a request is for.
fn authority<B>(request: &Request<B>) -> Result<String, Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::bad_host());
    }
    let host = match host {
        Some(host) => Some(host.to_str().map_err(|_| Refusal::bad_host())?),
        None => None,
    };
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let authority = match (target, host) {
        (Some(target), Some(host)) => {
            let same = target.eq_ignore_ascii_case(host);
            // HTTP/1.1 lets the target overrule Host; HTTP/2 must not disagree with itself.
            if !same && request.version() == Version::HTTP_2 {
                return Err(Refusal::bad_host());
            }
            target
        }
        (Some(target), None) => target,
        (None, Some(host)) => host,
        (None, None) => return Err(Refusal::bad_host()),
    };
    Ok(authority.to_owned())
}

fn authority_value(authority: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(authority).map_err(|_| Refusal::bad_host())
}

/// A host as the table knows it: lower case, without port or trailing dot.
pub(super) struct Host {
    pub(super) name: String,
}

impl Host {
    /// Refuses user information, and anything that is no host name or address.
    pub(super) fn parse(authority: &str) -> Option<Self> {
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, Some(port)),
            _ => (authority, None),
        };
        if port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit()) || port.len() > 5) {
            return None;
        }
        let inner = match name.strip_prefix('[') {
            Some(v6) => {
                v6.strip_suffix(']').filter(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok())?
            }
            None => name,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if inner.is_empty() || !(name.starts_with('[') || name.bytes().all(plain)) {
            return None;
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        (!name.is_empty() && name.len() <= 255).then(|| Self { name: name.to_ascii_lowercase() })
    }
}

fn host_port(authority: &str) -> Option<&str> {
    authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'))
}

/// What is known of the way from the client to us.
struct Hop {
    /// Whether the peer is a listed hop.
    trusted: bool,
    /// Whether the client spoke HTTPS, with us or with the hop.
    secure: bool,
    /// The client, as far as the hops are believed.
    client: Option<IpAddr>,
    /// `X-Forwarded-For` of a trusted hop, to be extended.
    chain: Option<String>,
}

impl Hop {
    fn of(connection: &Connection, settings: &Settings, headers: &HeaderMap) -> Self {
        let peer = connection.peer.map(|peer| peer.ip().to_canonical());
        let listed = |peer| settings.trusted_hops.iter().any(|hop| hop.is(peer));
        if !listed(peer) {
            return Self { trusted: false, secure: connection.secure, client: peer, chain: None };
        }
        let chain = joined(headers, &fields::X_FORWARDED_FOR);
        let client = chain.as_deref().and_then(|chain| {
            let hops = chain.rsplit(',').map(|hop| address(hop.trim()));
            hops.take_while(Option::is_some).flatten().find(|ip| !listed(Some(*ip)))
        });
        let proto = headers.get(&fields::X_FORWARDED_PROTO).map(HeaderValue::as_bytes);
        let secure = match proto {
            Some(proto) => proto.eq_ignore_ascii_case(b"https"),
            None => connection.secure,
        };
        Self { trusted: true, secure, client: client.or(peer), chain }
    }

    /// Sets what the origin is told about the client; one value each (A1, A2, A3).
    fn forward(&self, headers: &mut HeaderMap, connection: &Connection, record: &Record) {
        let proto = if self.secure { "https" } else { "http" };
        headers.insert(&fields::X_FORWARDED_PROTO, HeaderValue::from_static(proto));
        headers.insert(&fields::X_REQUEST_ID, record.id().to_value());
        let peer = connection.peer.map(|peer| peer.ip().to_canonical());
        let chain = match (&self.chain, peer) {
            (Some(chain), Some(peer)) => Some(format!("{chain}, {peer}")),
            (None, Some(peer)) => Some(peer.to_string()),
            (Some(chain), None) => Some(chain.clone()),
            (None, None) => None,
        };
        if let Some(Ok(value)) = chain.map(HeaderValue::try_from) {
            headers.insert(&fields::X_FORWARDED_FOR, value);
        }
    }
}

fn joined(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// A redirect that keeps the request target as it is.
struct Redirect<'a> {
    secure: bool,
    host: &'a str,
    port: Option<&'a str>,
}

impl Redirect<'_> {
    fn answer<B>(&self, request: &Request<B>) -> Result<Received, Refusal> {
        self.response(request).map(|answer| Received::Answer(Box::new(answer)))
    }

    /// 301 where every client keeps the method anyway, 308 where it has to.
    fn response<B>(&self, request: &Request<B>) -> Result<Response<Body>, Refusal> {
        let scheme = if self.secure { "https" } else { "http" };
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target } else { "/" };
        let location = format!("{scheme}://{}{port}{target}", self.host);
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = match *request.method() {
            Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
            _ => StatusCode::PERMANENT_REDIRECT,
        };
        let location = HeaderValue::try_from(location).map_err(|_| Refusal::bad_host())?;
        response.headers_mut().insert(LOCATION, location);
        Ok(response)
    }
}

/// Sends plain requests to HTTPS where a certificate covers the host.
fn to_https<B>(
    site: &Site,
    settings: &Settings,
    hop: &Hop,
    host: &Host,
    request: &Request<B>,
) -> Result<Option<Response<Body>>, Refusal> {
    let Some(port) = settings.https_port else { return Ok(None) };
    let wanted =
        !hop.secure && site.config.redirect_to_https && (settings.has_certificate)(&host.name);
    if !wanted || request.uri().path().starts_with("/.well-known/acme-challenge/") {
        return Ok(None);
    }
    let port = port.to_string();
    let port = (port != "443").then_some(port.as_str());
    Redirect { secure: true, host: &host.name, port }.response(request).map(Some)
}

/// What RFC 6764 clients look for, for origins that do not answer it themselves (A17).
fn well_known(path: &str) -> Option<Response<Body>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if !matches!(path, "/.well-known/caldav" | "/.well-known/carddav") {
        return None;
    }
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/remote.php/dav/"));
    Some(response)
}

/// Takes the client's side of a WebSocket; every other upgrade (h2c above all, A52) is ignored.
fn websocket(request: &mut Request<Incoming>, connection: &Connection) -> Option<Upgrade> {
    let upgrade = request.headers().get(UPGRADE)?;
    let wanted = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && upgrade.as_bytes().eq_ignore_ascii_case(b"websocket");
    wanted.then(|| Upgrade {
        client: hyper::upgrade::on(request),
        exchanges: connection.exchanges.clone(),
    })
}

/// Takes scheme and authority off the target; the rest stays as it is, byte for byte.
fn origin_form(request: &mut Request<Body>) -> Result<(), Refusal> {
    if request.uri().authority().is_none() {
        return Ok(());
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    (parts.scheme, parts.authority) = (None, None);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Refusal::bad_target())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(authority: &str) -> Option<String> {
        Host::parse(authority).map(|host| host.name)
    }

    #[test]
    fn hosts_are_normalised() {
        assert_eq!(host("Cloud.Example.org:8443").as_deref(), Some("cloud.example.org"));
        assert_eq!(host("cloud.example.org.").as_deref(), Some("cloud.example.org"));
        assert_eq!(host("[2001:DB8::1]:80").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(host("[::1]").as_deref(), Some("[::1]"));
        assert_eq!(host("127.0.0.1").as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for authority in [
            "", ":", ":80", "a@b", "a b", "a/b", "a:b", "a:123456", "[::1", "::1", "[x]", ".",
            "a%2e", "a,b", "é", "a\\b", "a?b", "a#b", "[]", "[::1]x",
        ] {
            assert_eq!(host(authority), None, "{authority}");
        }
    }

    #[test]
    fn addresses_in_all_their_spellings() {
        for text in ["192.0.2.1", "192.0.2.1:80", "::ffff:192.0.2.1"] {
            assert_eq!(
                address(text).map(|ip| ip.to_string()).as_deref(),
                Some("192.0.2.1"),
                "{text}"
            );
        }
        for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"] {
            assert_eq!(
                address(text).map(|ip| ip.to_string()).as_deref(),
                Some("2001:db8::1"),
                "{text}"
            );
        }
        for text in ["unknown", "", "_hidden", "192.0.2", "[::1"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}

//! Where HTTP/1 requests begin and end, read strictly.
//!
//! Smuggling needs two readings of the same bytes. hyper reads leniently in places (line ends
//! without CR, `Transfer-Encoding` beside `Content-Length`, a `#` cut from the target, blanks after
//! a chunk size …), so this follows the framing of every request by itself, on the bytes as they
//! arrive and at any split, and says where it stops being unambiguous. It allows less than hyper in
//! everything that decides where a request ends; what it does not look at (bytes of names and
//! values, say) hyper checks, and refuses by closing the connection.
//!
//! Invariant: as long as nothing was refused, hyper sees the same requests with the same bodies.
//! What is refused stays refused: nothing after that place is ever read as a request.

use memchr::{memchr, memrchr};

/// Empty lines that may precede a request; RFC 9112 asks for tolerance of one.
const EMPTY_LINES: u8 = 2;
/// Hexadecimal digits of a chunk size.
const SIZE_DIGITS: usize = 16;
/// Bytes of the extensions of one chunk, including the first `;`.
const EXTENSION_BYTES: usize = 256;
/// Bytes of all trailer fields of one request.
const TRAILER_BYTES: usize = 8 << 10;
/// Digits of a `Content-Length`; any number of them fits a `u64`.
const LENGTH_DIGITS: usize = 19;

/// Follows the requests on one connection.
#[derive(Debug)]
pub struct Framing {
    state: State,
    head: Head,
    /// Bytes of the present head, or of the present trailers, so far.
    seen: usize,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    head_bytes: usize,
}

/// How far some bytes may be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Followed {
    /// The bytes up to here may be read.
    pub keep: usize,
    /// What is with the bytes after that.
    pub next: Next,
}

/// What comes after the bytes that may be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// The present body is broken: a framing error within it.
    Broken(Rule),
    /// More bytes; all were followed.
    More,
    /// The present head cannot be accepted. Its byte at `keep - 1` was overwritten by NUL.
    Refused(Rule),
    /// The present head is larger than allowed; `keep` ends one byte after the limit.
    TooLarge,
    /// A request that asks for another protocol ended here: only its answer tells what follows.
    Upgrade,
}

/// The rule a request broke.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rule {
    /// A line that ends in LF alone.
    BareLineFeed,
    /// A chunk whose data is not followed by CRLF.
    ChunkEnd,
    /// A chunk extension that is too long, or has control characters.
    ChunkExtension,
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    ChunkSize,
    /// Transfer-Encoding in HTTP/1.0.
    EncodingInOldVersion,
    /// More than two empty lines before a request.
    EmptyLines,
    /// A field line that continues the one before.
    Folded,
    /// Both Content-Length and Transfer-Encoding.
    LengthAndEncoding,
    /// No `Host` in HTTP/1.1.
    NoHost,
    /// A request line that is not `METHOD TARGET VERSION`.
    RequestLine,
    /// A target with `#`, bytes beyond ASCII, or in none of the four forms.
    Target,
    /// Trailers that frame, are folded, or are too long.
    Trailer,
    /// Two `Host` fields.
    TwoHosts,
    /// Content-Length that is not digits alone, or differs from another one.
    UnclearLength,
    /// Transfer-Encoding other than one `chunked`.
    UnknownEncoding,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    Version,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A request line, or one of some empty lines before it.
    Start(u8),
    /// A field line, or the end of the head.
    Fields,
    /// A body of which so much is left.
    Length(u64),
    /// A line with a chunk size.
    Size,
    /// Chunk data of which so much is left.
    Data(u64),
    /// The line end after chunk data.
    DataEnd,
    /// A trailer line, or the end of the trailers.
    Trailers,
}

/// What is known of the present request.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    version_1_1: bool,
    chunked: bool,
    host: bool,
    length: Option<u64>,
    upgrade: bool,
}

/// What a line led to.
#[derive(Debug, Eq, PartialEq)]
enum Line {
    Goes(State),
    /// The request is over.
    Over,
}

// === impl Rule ===

impl Rule {
    /// A short name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::BareLineFeed => "bare_line_feed",
            Rule::ChunkEnd => "chunk_end",
            Rule::ChunkExtension => "chunk_extension",
            Rule::ChunkSize => "chunk_size",
            Rule::EmptyLines => "empty_lines",
            Rule::EncodingInOldVersion => "encoding_in_old_version",
            Rule::Folded => "folded",
            Rule::LengthAndEncoding => "length_and_encoding",
            Rule::NoHost => "no_host",
            Rule::RequestLine => "request_line",
            Rule::Target => "target",
            Rule::Trailer => "trailer",
            Rule::TwoHosts => "two_hosts",
            Rule::UnclearLength => "unclear_length",
            Rule::UnknownEncoding => "unknown_encoding",
            Rule::Version => "version",
        }
    }
}

// === impl Framing ===

impl Framing {
    /// Heads may be of `head_bytes`, empty lines before them included.
    #[must_use]
    pub fn new(head_bytes: usize) -> Self {
        Self {
            state: State::Start(0),
            head: Head::default(),
            seen: 0,
            carry: Vec::new(),
            head_bytes,
        }
    }

    /// Whether no request has begun that has not ended.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Start(_)) && self.carry.is_empty()
    }

    /// Follows the next bytes of the connection.
    pub fn follow(&mut self, bytes: &mut [u8]) -> Followed {
        let mut at = 0;
        while at < bytes.len() {
            let step = match self.state {
                State::Length(left) | State::Data(left) => {
                    Ok(self.pass(left, bytes.len() - at, &mut at))
                }
                _ => self.follow_line(&bytes[at..], &mut at),
            };
            match step {
                Ok(true) => return Followed { keep: at, next: Next::Upgrade },
                Ok(false) => {}
                Err(next) => return refuse(bytes, at, next),
            }
        }
        Followed { keep: at, next: Next::More }
    }

    /// Passes body bytes; whether the bytes after them wait for an answer.
    fn pass(&mut self, left: u64, available: usize, at: &mut usize) -> bool {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        *at += take;
        let left = left - take as u64;
        match self.state {
            State::Length(_) if left == 0 => self.over(),
            State::Length(_) => self.go(State::Length(left)),
            _ if left == 0 => self.go(State::DataEnd),
            _ => self.go(State::Data(left)),
        }
    }

    /// Follows one line, or what has come of it; whether the bytes after it wait for an answer.
    fn follow_line(&mut self, rest: &[u8], at: &mut usize) -> Result<bool, Next> {
        let end = memchr(b'\n', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        self.seen += taken;
        self.check_size(taken, at)?;
        let Some(end) = end else {
            self.carry.extend_from_slice(rest);
            self.check_partial()?;
            *at += taken;
            return Ok(false);
        };
        let outcome = if self.carry.is_empty() {
            self.line(&rest[..end])
        } else {
            let mut line = std::mem::take(&mut self.carry);
            line.extend_from_slice(&rest[..end]);
            self.line(&line)
        };
        match outcome {
            Ok(line) => {
                *at += taken;
                Ok(match line {
                    Line::Goes(state) => self.go(state),
                    Line::Over => self.over(),
                })
            }
            Err(rule) if self.in_head() => {
                *at += end;
                Err(Next::Refused(rule))
            }
            Err(rule) => Err(Next::Broken(rule)),
        }
    }

    fn check_size(&self, taken: usize, at: &mut usize) -> Result<(), Next> {
        match self.state {
            State::Start(_) | State::Fields if self.seen > self.head_bytes => {
                *at += taken - (self.seen - self.head_bytes) + 1;
                Err(Next::TooLarge)
            }
            State::Trailers if self.seen > TRAILER_BYTES => Err(Next::Broken(Rule::Trailer)),
            _ => Ok(()),
        }
    }

    /// Lines of chunked bodies have to be refused before they grow.
    fn check_partial(&self) -> Result<(), Next> {
        match self.state {
            State::DataEnd if self.carry != b"\r" => Err(Next::Broken(Rule::ChunkEnd)),
            State::Size if self.carry.len() > SIZE_DIGITS + EXTENSION_BYTES + 1 => {
                Err(Next::Broken(Rule::ChunkExtension))
            }
            _ => Ok(()),
        }
    }

    fn in_head(&self) -> bool {
        matches!(self.state, State::Start(_) | State::Fields)
    }

    fn go(&mut self, state: State) -> bool {
        self.state = state;
        false
    }

    /// The request is over; whether only its answer tells what follows.
    fn over(&mut self) -> bool {
        self.state = State::Start(0);
        self.seen = 0;
        std::mem::take(&mut self.head).upgrade
    }

    /// Reads a line, without its LF.
    fn line(&mut self, line: &[u8]) -> Result<Line, Rule> {
        let Some(line) = line.strip_suffix(b"\r") else { return Err(Rule::BareLineFeed) };
        match self.state {
            State::Start(EMPTY_LINES) if line.is_empty() => Err(Rule::EmptyLines),
            State::Start(count) if line.is_empty() => Ok(Line::Goes(State::Start(count + 1))),
            State::Start(_) => self.request_line(line),
            State::Fields if line.is_empty() => self.head_end(),
            State::Fields => self.field(line),
            State::Size => {
                self.seen = 0;
                Ok(Line::Goes(match chunk_size(line)? {
                    0 => State::Trailers,
                    size => State::Data(size),
                }))
            }
            State::DataEnd if line.is_empty() => Ok(Line::Goes(State::Size)),
            State::DataEnd => Err(Rule::ChunkEnd),
            State::Trailers if line.is_empty() => Ok(Line::Over),
            State::Trailers => trailer(line).map(|()| Line::Goes(State::Trailers)),
            // Bodies have no lines; `follow` does not ask.
            State::Length(_) | State::Data(_) => Err(Rule::ChunkEnd),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<Line, Rule> {
        let first = memchr(b' ', line).ok_or(Rule::RequestLine)?;
        let last = memrchr(b' ', line).ok_or(Rule::RequestLine)?;
        if first == 0 || first >= last {
            return Err(Rule::RequestLine);
        }
        let method = &line[..first];
        self.head.version_1_1 = match &line[last + 1..] {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            _ => return Err(Rule::Version),
        };
        check_target(method, &line[first + 1..last])?;
        self.head.upgrade = method == b"CONNECT";
        Ok(Line::Goes(State::Fields))
    }

    /// Reads one field line. Only names that frame are of interest; a name that hyper would take
    /// for one of them is at the beginning of the line, whole, and followed by the colon.
    fn field(&mut self, line: &[u8]) -> Result<Line, Rule> {
        match line[0] | 0x20 {
            b'c' => {
                if let Some(value) = field_value(line, b"content-length") {
                    self.content_length(value)?;
                }
            }
            b't' => {
                if let Some(value) = field_value(line, b"transfer-encoding") {
                    self.transfer_encoding(value)?;
                }
            }
            b'h' if field_value(line, b"host").is_some() => self.host()?,
            b'u' if field_value(line, b"upgrade").is_some() => {
                self.head.upgrade |= self.head.version_1_1;
            }
            // A tab, or a blank (the bit is set in both anyway).
            b' ' | b')' if line[0] == b' ' || line[0] == b'\t' => return Err(Rule::Folded),
            _ => {}
        }
        Ok(Line::Goes(State::Fields))
    }

    fn host(&mut self) -> Result<(), Rule> {
        match std::mem::replace(&mut self.head.host, true) {
            true => Err(Rule::TwoHosts),
            false => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Rule> {
        if self.head.chunked {
            return Err(Rule::LengthAndEncoding);
        }
        let length = digits(value).ok_or(Rule::UnclearLength)?;
        match self.head.length.replace(length) {
            Some(other) if other != length => Err(Rule::UnclearLength),
            _ => Ok(()),
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Rule> {
        if self.head.length.is_some() {
            return Err(Rule::LengthAndEncoding);
        }
        if !self.head.version_1_1 {
            return Err(Rule::EncodingInOldVersion);
        }
        if self.head.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Rule::UnknownEncoding);
        }
        self.head.chunked = true;
        Ok(())
    }

    fn head_end(&mut self) -> Result<Line, Rule> {
        if self.head.version_1_1 && !self.head.host {
            return Err(Rule::NoHost);
        }
        Ok(match self.head.length {
            _ if self.head.chunked => Line::Goes(State::Size),
            None | Some(0) => Line::Over,
            Some(length) => Line::Goes(State::Length(length)),
        })
    }
}

/// Makes sure that hyper refuses what cannot be accepted. It takes a NUL for an error wherever it
/// stands in a head.
fn refuse(bytes: &mut [u8], at: usize, next: Next) -> Followed {
    let keep = match next {
        Next::Refused(_) => {
            bytes[at] = 0;
            at + 1
        }
        _ => at,
    };
    Followed { keep, next }
}

/// The value of a field line if it is of this name.
fn field_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if line.get(name.len()) != Some(&b':') || !line[..name.len()].eq_ignore_ascii_case(name) {
        return None;
    }
    let mut value = &line[name.len() + 1..];
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    Some(value)
}

fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > LENGTH_DIGITS {
        return None;
    }
    value.iter().try_fold(0u64, |sum, byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn check_target(method: &[u8], target: &[u8]) -> Result<(), Rule> {
    if !target.is_ascii() || memchr(b'#', target).is_some() {
        return Err(Rule::Target);
    }
    let scheme = |scheme: &[u8]| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    match target {
        [b'/', ..] => Ok(()),
        b"*" if method == b"OPTIONS" => Ok(()),
        _ if method == b"CONNECT" => Ok(()),
        _ if scheme(b"http://") || scheme(b"https://") => Ok(()),
        _ => Err(Rule::Target),
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Rule> {
    let end = memchr(b';', line).unwrap_or(line.len());
    let (size, extension) = line.split_at(end);
    if size.is_empty() || size.len() > SIZE_DIGITS {
        return Err(Rule::ChunkSize);
    }
    if extension.len() > EXTENSION_BYTES || extension.iter().any(|&b| is_control(b)) {
        return Err(Rule::ChunkExtension);
    }
    size.iter().try_fold(0u64, |sum, &byte| {
        let digit = char::from(byte).to_digit(16).ok_or(Rule::ChunkSize)?;
        Ok(sum << 4 | u64::from(digit))
    })
}

/// Trailers are dropped by whoever reads the body; still they may not look like framing, or be
/// read as more or fewer lines by others.
fn trailer(line: &[u8]) -> Result<(), Rule> {
    const FRAMING: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];
    let frames = FRAMING.iter().any(|name| field_value(line, name).is_some());
    let name = memchr(b':', line).unwrap_or(0);
    let clean = name > 0 && line[..name].iter().all(|b| b.is_ascii_graphic());
    if frames || !clean || line.iter().any(|&b| is_control(b)) {
        return Err(Rule::Trailer);
    }
    Ok(())
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

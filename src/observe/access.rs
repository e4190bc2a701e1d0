//! The access log: one JSON object per exchange, written by a thread of its own.
//!
//! Requests never wait for the disk: lines go through a bounded channel, and when the writer falls
//! behind, lines are dropped and counted, never requests. Secrets stay out: the query of a target
//! is written only for keys that are known to be harmless, and the tokens of public links, app
//! passwords and login flows are cut from the path.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

/// Lines that may wait for the writer.
const WAITING_LINES: usize = 16_384;
/// How long a line may sit in the buffer.
const FLUSH_AFTER: Duration = Duration::from_millis(500);
/// Path segments whose successor is a secret: public links, calls, previews of public links, login
/// flows, password resets, published calendars.
const BEFORE_SECRETS: [&str; 7] =
    ["s", "call", "publicpreview", "flow", "grant", "form", "public-calendars"];

/// A handle for those who finish exchanges; cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLog {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(String),
    Reopen,
    Flush(SyncSender<()>),
}

/// Where lines go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file that is appended to, and opened anew by [`AccessLog::reopen`].
    File(PathBuf),
}

/// What is written about one exchange.
#[derive(Debug, Default)]
pub struct Line<'a> {
    /// Site name; empty if none was found.
    pub site: &'a str,
    /// Kind of traffic.
    pub kind: &'a str,
    /// Request id.
    pub id: &'a str,
    /// Client address.
    pub client: Option<std::net::IpAddr>,
    /// Method.
    pub method: &'a str,
    /// Host asked for.
    pub host: &'a str,
    /// Raw request target; redacted here.
    pub target: &'a str,
    /// Protocol version.
    pub protocol: &'a str,
    /// Status sent; 0 if none was.
    pub status: u16,
    /// Request body bytes.
    pub bytes_in: u64,
    /// Response body bytes.
    pub bytes_out: u64,
    /// Whole time.
    pub total: Duration,
    /// From asking the origin to the head of its answer.
    pub upstream: Option<Duration>,
    /// Who ended the exchange.
    pub ended_by: &'a str,
    /// In which phase it ended.
    pub phase: &'a str,
    /// Why Passeur refused it; empty if it did not.
    pub refused: &'a str,
}

impl AccessLog {
    /// Starts the writer.
    ///
    /// # Errors
    /// If the file cannot be opened, or no thread can be had.
    pub fn start(sink: Sink) -> io::Result<Self> {
        let (lines, received) = sync_channel(WAITING_LINES);
        let out = open(&sink)?;
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&sink, out, &received))?;
        Ok(Self { lines, dropped: Arc::default() })
    }

    /// Writes one line, or counts it as dropped.
    pub fn write(&self, line: &Line<'_>) {
        match self.lines.try_send(Message::Line(line.to_json())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Opens the file anew, after it was rotated away.
    pub fn reopen(&self) {
        let _ = self.lines.send(Message::Reopen);
    }

    /// Returns when all lines so far are written.
    pub fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        if self.lines.send(Message::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(Duration::from_secs(5));
        }
    }

    /// Lines that were not written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn open(sink: &Sink) -> io::Result<Box<dyn Write + Send>> {
    match sink {
        Sink::Stdout => Ok(Box::new(io::stdout())),
        Sink::File(path) => Ok(Box::new(append(path)?)),
    }
}

fn append(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn write_all(sink: &Sink, out: Box<dyn Write + Send>, received: &Receiver<Message>) {
    let mut out = BufWriter::with_capacity(64 << 10, out);
    loop {
        // A full disk must not end the log for ever: what cannot be written now is lost.
        let _ = match received.recv_timeout(FLUSH_AFTER) {
            Ok(Message::Line(line)) => writeln!(out, "{line}"),
            Ok(Message::Reopen) => {
                let _ = out.flush();
                match open(sink) {
                    Ok(new) => out = BufWriter::with_capacity(64 << 10, new),
                    Err(error) => tracing::error!(%error, "failed to reopen the access log"),
                }
                Ok(())
            }
            Ok(Message::Flush(done)) => {
                let flushed = out.flush();
                let _ = done.send(());
                flushed
            }
            Err(RecvTimeoutError::Timeout) => out.flush(),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = out.flush();
                return;
            }
        };
    }
}

impl Line<'_> {
    fn to_json(&self) -> String {
        let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut line = String::with_capacity(384);
        let mut fields = Fields { line: &mut line, first: true };
        fields.number("time", millis(time) / 1e3);
        fields.text("site", self.site);
        fields.text("kind", self.kind);
        fields.text("id", self.id);
        if let Some(client) = self.client {
            fields.text("client", &client.to_string());
        }
        fields.text("method", self.method);
        fields.text("host", self.host);
        fields.text("target", &redact(self.target));
        fields.text("protocol", self.protocol);
        fields.number("status", self.status);
        fields.number("bytes_in", self.bytes_in);
        fields.number("bytes_out", self.bytes_out);
        fields.number("ms", millis(self.total));
        if let Some(upstream) = self.upstream {
            fields.number("upstream_ms", millis(upstream));
        }
        fields.text("ended_by", self.ended_by);
        fields.text("phase", self.phase);
        fields.text("refused", self.refused);
        line.push('}');
        line
    }
}

/// Writes the fields of one JSON object; empty texts are left out.
struct Fields<'a> {
    line: &'a mut String,
    first: bool,
}

impl Fields<'_> {
    fn text(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.name(name);
        // A string always becomes JSON.
        self.line.push_str(&serde_json::to_string(value).unwrap_or_default());
    }

    fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        use std::fmt::Write as _;
        self.name(name);
        let _ = write!(self.line, "{value}");
    }

    fn name(&mut self, name: &str) {
        self.line.push(if self.first { '{' } else { ',' });
        self.first = false;
        self.line.push('"');
        self.line.push_str(name);
        self.line.push_str("\":");
    }
}

/// The target without what could be a secret: query values, and path segments that are tokens.
#[must_use]
pub fn redact(target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut out = String::with_capacity(target.len());
    let public = path.contains("public.php");
    let mut previous = "";
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        out.push_str(if is_secret(public, previous, segment) { "…" } else { segment });
        previous = segment;
    }
    for (index, pair) in query.unwrap_or_default().split('&').enumerate() {
        if query.is_none() {
            break;
        }
        out.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) => {
                out.push_str(name);
                out.push_str("=…");
            }
            None => out.push('…'),
        }
    }
    out
}

/// Whether `segment`, coming after `previous`, looks like a token and stands where tokens do.
fn is_secret(public: bool, previous: &str, segment: &str) -> bool {
    let token = segment.len() >= 8 && segment.bytes().all(|b| b.is_ascii_alphanumeric());
    token && (BEFORE_SECRETS.contains(&previous) || public && previous == "files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_query_values_are_cut() {
        assert_eq!(redact("/s/Xk3jd93kdmLs"), "/s/…");
        assert_eq!(
            redact("/index.php/s/Xk3jd93kdmLs/download?path=/a"),
            "/index.php/s/…/download?path=…"
        );
        assert_eq!(
            redact("/index.php/login/v2/flow/abcdefgh12345678"),
            "/index.php/login/v2/flow/…"
        );
        assert_eq!(redact("/public.php/dav/files/Xk3jd93kdmLs/a"), "/public.php/dav/files/…/a");
        assert_eq!(
            redact("/remote.php/dav/files/longaccount"),
            "/remote.php/dav/files/longaccount"
        );
        assert_eq!(redact("/remote.php/dav/files/alice/s/n"), "/remote.php/dav/files/alice/s/n");
        assert_eq!(redact("/a?b&c=d"), "/a?…&c=…");
    }

    #[test]
    fn lines_are_json_whatever_a_client_sends() {
        let line = Line { target: "/\"\n\\", method: "G\u{7}", ..Line::default() };
        let json: serde_json::Value = serde_json::from_str(&line.to_json()).expect("valid JSON");
        assert_eq!(json["target"], "/\"\n\\");
        assert!(!line.to_json().contains('\n'));
    }

    #[test]
    fn a_file_is_appended_to_and_reopened() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let log = AccessLog::start(Sink::File(path.clone())).expect("a log");
        log.write(&Line { id: "one", ..Line::default() });
        log.flush();
        let rotated = folder.path().join("access.log.1");
        std::fs::rename(&path, &rotated).expect("renamed");
        log.reopen();
        log.write(&Line { id: "two", ..Line::default() });
        log.flush();
        assert!(std::fs::read_to_string(rotated).expect("read").contains("one"));
        assert!(std::fs::read_to_string(path).expect("read").contains("two"));
    }
}

//! HTTP/1 as bytes, for both ends of the proxy: what a client gets and what an origin gets are
//! read the same way, and nothing is tidied up. A body knows whether it ended as its framing says.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing in these tests takes this long, unless it hangs.
const AT_MOST: Duration = Duration::from_secs(15);

/// Waits for what has to happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(AT_MOST, future).await;
    done.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// One side of a connection.
pub struct Wire<S = TcpStream> {
    pub stream: S,
    /// Read, but not looked at.
    buffer: Vec<u8>,
}

/// A request's or an answer's line and fields.
#[derive(Clone, Debug)]
pub struct Head {
    pub line: String,
    pub fields: Vec<(String, Vec<u8>)>,
    pub raw: Vec<u8>,
}

/// What followed a head.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pub bytes: Vec<u8>,
    /// Whether it came to its proper end.
    pub whole: bool,
    /// The lines after the last chunk.
    pub trailers: Vec<String>,
}

/// An answer with what came before it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub head: Head,
    pub body: Body,
    /// Statuses of informational answers.
    pub interim: Vec<u16>,
}

impl Head {
    fn parse(raw: Vec<u8>) -> Self {
        let mut lines = raw[..raw.len() - 4].split(|&b| b == b'\n');
        let line = lines.next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        let fields = lines.map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|&b| b == b':').expect("a field");
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            (name, line[colon + 1..].trim_ascii().to_vec())
        });
        Self { line, fields: fields.collect(), raw: raw.clone() }
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let same = self.fields.iter().filter(|(known, _)| known == name);
        same.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The one value of a field; `None` where there is none.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        assert!(all.len() < 2, "{name} is there {} times: {all:?}", all.len());
        all.pop()
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    pub fn status(&self) -> u16 {
        self.line[9..12].parse().expect("a status")
    }

    pub fn method(&self) -> &str {
        self.line.split(' ').next().expect("a method")
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).expect("a target")
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body.bytes).into_owned()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends; what the other side refuses to take is lost, as on any network.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = async {
            if self.stream.write_all(bytes.as_ref()).await.is_ok() {
                let _ = self.stream.flush().await;
            }
        };
        soon("sending", sending).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = soon("finishing", self.stream.shutdown()).await;
    }

    /// Sends zeros until `most` bytes were taken, or nothing more is for a while. Says how many
    /// were taken. The pause is no synchronisation: were it too short, less would be counted.
    pub async fn flood(&mut self, most: usize) -> usize {
        let piece: &'static [u8] = &[0; 64 << 10];
        let mut sent = 0;
        while sent < most {
            let write = self.stream.write(&piece[..piece.len().min(most - sent)]);
            match tokio::time::timeout(Duration::from_millis(400), write).await {
                Ok(Ok(count)) => sent += count,
                Ok(Err(_)) | Err(_) => break,
            }
        }
        sent
    }

    /// Reads more; `false` at the end of the connection, however it came.
    async fn fill(&mut self) -> bool {
        self.buffer.reserve(16 << 10);
        let read = soon("bytes", self.stream.read_buf(&mut self.buffer)).await;
        read.is_ok_and(|count| count > 0)
    }

    /// The next head; `None` if the connection ended before.
    pub async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return Some(Head::parse(self.take(end + 4)));
            }
            if !self.fill().await {
                assert!(self.buffer.is_empty(), "half a head: {:?}", text(&self.buffer));
                return None;
            }
        }
    }

    /// Exactly so many bytes, or fewer at the end of the connection.
    pub async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.fill().await {}
        self.take(count.min(self.buffer.len()))
    }

    /// Everything to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads and forgets up to `count` bytes; says how many came.
    pub async fn skip(&mut self, count: usize) -> usize {
        let mut seen = 0;
        loop {
            seen += std::mem::take(&mut self.buffer).len();
            if seen >= count || !self.fill().await {
                return seen;
            }
        }
    }

    /// One chunk's data; empty for the last one. `None` if the connection ended before.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.line().await?;
        let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("size {line:?}"));
        if size == 0 {
            return Some(Vec::new());
        }
        let data = self.exactly(size).await;
        (data.len() == size && self.line().await?.is_empty()).then_some(data)
    }

    /// The body of a request.
    pub async fn request_body(&mut self, head: &Head) -> Body {
        if head.has("transfer-encoding") {
            return self.chunked_body().await;
        }
        self.sized_body(head.field("content-length").map_or(0, |n| n.parse().unwrap())).await
    }

    /// An answer to `method`, after those that only inform.
    pub async fn answer_to(&mut self, method: &str) -> Answer {
        let mut interim = Vec::new();
        loop {
            let head = self.head().await.expect("an answer");
            match head.status() {
                status @ (100 | 102..=199) => interim.push(status),
                _ => {
                    let body = self.answer_body(method, &head).await;
                    return Answer { head, body, interim };
                }
            }
        }
    }

    /// Sends a request, and reads its answer.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        let request = request.as_ref();
        self.send(request).await;
        let method = request.split(|&b| b == b' ').next().unwrap_or_default();
        self.answer_to(&String::from_utf8_lossy(method)).await
    }

    /// The body of an answer to `method`.
    pub async fn answer_body(&mut self, method: &str, head: &Head) -> Body {
        let none = matches!(head.status(), 101 | 204 | 304) || method == "HEAD";
        if none {
            return Body { whole: true, ..Body::default() };
        }
        if head.has("transfer-encoding") {
            return self.chunked_body().await;
        }
        match head.field("content-length") {
            Some(length) => self.sized_body(length.parse().unwrap()).await,
            None => {
                let bytes = self.rest().await;
                Body { bytes, whole: true, ..Body::default() }
            }
        }
    }

    async fn sized_body(&mut self, length: usize) -> Body {
        let bytes = self.exactly(length).await;
        Body { whole: bytes.len() == length, bytes, ..Body::default() }
    }

    async fn chunked_body(&mut self) -> Body {
        let mut body = Body::default();
        while let Some(chunk) = self.chunk().await {
            if chunk.is_empty() {
                while let Some(line) = self.line().await {
                    if line.is_empty() {
                        body.whole = true;
                        break;
                    }
                    body.trailers.push(line);
                }
                break;
            }
            body.bytes.extend(chunk);
        }
        body
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = self.take(end + 2);
                return Some(text(&line[..end]));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }
}

impl Wire<TcpStream> {
    /// Breaks the connection off: the other side gets a reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("a socket");
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

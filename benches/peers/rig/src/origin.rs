//! The origin: an HTTP/1.1 server that costs as little as it can.
//!
//! It reads heads with `httparse`, throws bodies away while counting them, answers from memory and
//! echoes what comes after an upgrade, byte by byte, frames unread. It trusts its peers: they are the
//! proxies under test, on loopback. A connection that breaks the rules is closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::answers::{self, Answers};
use crate::websocket::{ACCEPT, KEY};

const BUFFER: usize = 128 << 10;
static ZEROS: [u8; BUFFER] = [0; BUFFER];

/// Where and how the origin runs.
#[derive(clap::Args)]
pub struct Options {
    /// Address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Threads that accept.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Serves until killed.
pub async fn run(options: Options) -> crate::Result<()> {
    let listener = std::net::TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    let answers = Arc::new(Answers::new());
    for _ in 1..options.threads {
        let (listener, answers) = (listener.try_clone()?, answers.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || runtime.block_on(accept(listener, answers)));
    }
    Ok(accept(listener, answers).await?)
}

async fn accept(listener: std::net::TcpListener, answers: Arc<Answers>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        // Another thread may have been quicker, or descriptors may be short: both pass.
        let Ok((socket, _)) = listener.accept().await else { continue };
        socket.set_nodelay(true)?;
        let answers = answers.clone();
        tokio::spawn(async move {
            let _ = Connection::new(socket).serve(&answers).await;
        });
    }
}

/// What of a request's head matters here.
struct Head {
    upload: bool,
    path: String,
    body: Length,
    expects: bool,
    upgrade: bool,
    close: bool,
}

enum Length {
    Known(u64),
    Chunked,
}

struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        Self { socket, buffer: vec![0; BUFFER], start: 0, end: 0 }
    }

    async fn serve(mut self, answers: &Answers) -> io::Result<()> {
        while let Some(head) = self.head().await? {
            if head.upgrade {
                return self.echo().await;
            }
            if head.expects {
                self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            let received = self.discard(&head.body).await?;
            self.answer(&head, received, answers).await?;
            if head.close {
                return self.socket.shutdown().await;
            }
        }
        Ok(())
    }

    async fn answer(&mut self, head: &Head, received: u64, answers: &Answers) -> io::Result<()> {
        if head.upload {
            return self.socket.write_all(&answers::received(received)).await;
        }
        if let Some(bytes) = head.path.rsplit_once("/big/").and_then(|(_, n)| n.parse().ok()) {
            return self.download(bytes).await;
        }
        // Prefixes differ (`/tour/page`): they choose the proxy's rules, not the answer.
        let answer: &Bytes = match head.path.rsplit('/').next().unwrap_or_default() {
            "small" => &answers.small,
            "file" => &answers.file,
            "page" => &answers.page,
            "folder-30" => &answers.folder,
            "folder-2000" => &answers.large_folder,
            "status.php" => &answers.status,
            _ => &answers.missing,
        };
        self.socket.write_all(answer).await
    }

    async fn download(&mut self, bytes: u64) -> io::Result<()> {
        self.socket.write_all(answers::download_head(bytes).as_bytes()).await?;
        let mut left = bytes;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
            self.socket.write_all(&ZEROS[..part]).await?;
            left -= part as u64;
        }
        Ok(())
    }

    async fn echo(mut self) -> io::Result<()> {
        let accept = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        self.socket.write_all(accept.as_bytes()).await?;
        // Small again: a thousand of these stay open.
        let mut buffer = self.buffer[self.start..self.end].to_vec();
        drop(std::mem::take(&mut self.buffer));
        loop {
            self.socket.write_all(&buffer).await?;
            buffer.resize(512, 0);
            let n = self.socket.read(&mut buffer).await?;
            if n == 0 {
                return Ok(());
            }
            buffer.truncate(n);
        }
    }

    /// The next head, or `None` at a clean end.
    async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some((head, length)) = parse(&self.buffer[self.start..self.end])? {
                self.start += length;
                return Ok(Some(head));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads the body away and says how long it was.
    async fn discard(&mut self, length: &Length) -> io::Result<u64> {
        match length {
            Length::Known(bytes) => self.skip(*bytes).await,
            Length::Chunked => {
                let mut total = 0;
                loop {
                    let size = self.chunk_size().await?;
                    self.skip(size + 2).await?;
                    total += size;
                    if size == 0 {
                        return Ok(total);
                    }
                }
            }
        }
    }

    async fn chunk_size(&mut self) -> io::Result<u64> {
        loop {
            match httparse::parse_chunk_size(&self.buffer[self.start..self.end]) {
                Ok(httparse::Status::Complete((used, size))) => {
                    self.start += used;
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) if self.fill().await? => {}
                Ok(httparse::Status::Partial) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    async fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let mut left = bytes;
        loop {
            let here = (self.end - self.start).min(usize::try_from(left).unwrap_or(usize::MAX));
            self.start += here;
            left -= here as u64;
            if left == 0 {
                return Ok(bytes);
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads more behind what is there; `false` at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let n = self.socket.read(&mut self.buffer[self.end..]).await?;
        self.end += n;
        Ok(n > 0)
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(io::ErrorKind::InvalidData.into()),
    };
    let mut head = Head {
        upload: request.method == Some("PUT"),
        path: request.path.unwrap_or_default().to_owned(),
        body: Length::Known(0),
        expects: false,
        upgrade: false,
        close: false,
    };
    for field in request.headers.iter() {
        let value = field.value;
        match field.name.len() {
            6 if field.name.eq_ignore_ascii_case("expect") => head.expects = true,
            10 if field.name.eq_ignore_ascii_case("connection") => {
                head.close = value.eq_ignore_ascii_case(b"close");
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                let bytes = text.parse().map_err(|_| io::ErrorKind::InvalidData)?;
                head.body = Length::Known(bytes);
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                head.body = Length::Chunked;
            }
            17 if field.name.eq_ignore_ascii_case("sec-websocket-key") => {
                // The accept value is only known for one key, which saves a SHA-1.
                head.upgrade = value == KEY.as_bytes();
            }
            _ => {}
        }
    }
    Ok(Some((head, length)))
}

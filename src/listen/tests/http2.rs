//! HTTP/2 with frames by hand: what h2 refuses, and the times that are ours.

use tokio::time::Instant;

use super::super::budget::Budget;
use super::super::http2;
use super::super::stall::Stall;
use super::super::stream::{Stream, Transport};
use super::*;
use crate::config::checked::Limits;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

async fn h2_rig() -> Rig {
    h2_rig_with(Limits::default()).await
}

async fn h2_rig_with(limits: Limits) -> Rig {
    let echo = Echo::default();
    let drain = Drain::default();
    let watch = drain.watch();
    let (client, socket) = pair().await;
    let gateway = echo.clone();
    let serving = tokio::spawn(async move {
        let open = watch.open();
        let connection = Connection { exchanges: open.exchanges(), ..Connection::default() };
        let transport = Transport::new(Stall::new(socket, limits.patience()), Bytes::new());
        let window = Arc::new(Budget::default()).window(1 << 30, limits.h2_connection_window);
        let stream = Stream::Plain(transport);
        let connection = Arc::new(connection);
        let ended = http2::serve(stream, gateway.clone(), connection, &limits, window, &open).await;
        Gateway::ended(&gateway, &ended);
    });
    Rig { echo, drain, client, serving }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Literal fields, neither indexed nor compressed.
fn fields(list: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    let mut text = |bytes: &[u8]| {
        if bytes.len() < 127 {
            block.push(u8::try_from(bytes.len()).unwrap());
        } else {
            block.push(127);
            let mut rest = bytes.len() - 127;
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
        block.extend_from_slice(bytes);
    };
    // A zero-length text writes the zero octet that announces a literal field.
    for (name, value) in list {
        text(b"");
        text(name.as_bytes());
        text(value);
    }
    block
}

fn request(path: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut list: Vec<(&str, &[u8])> = vec![
        (":method", b"PUT"),
        (":scheme", b"https"),
        (":authority", b"a"),
        (":path", path.as_bytes()),
    ];
    list.extend(more);
    fields(&list)
}

impl Rig {
    async fn open_h2(&mut self) {
        self.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
    }

    /// The next frame; `None` at the end of the connection. Settings and pings are answered.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            let reading = self.client.read_exact(&mut head);
            let read = tokio::time::timeout(AT_MOST * 1000, reading).await.unwrap();
            read.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.client.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            match (head[3], head[4]) {
                (SETTINGS, 0) => self.send(frame(SETTINGS, ACK, 0, &[])).await,
                (PING, 0) => self.send(frame(PING, ACK, 0, &payload)).await,
                (kind, flags) => return Some(Frame { kind, flags, stream, payload }),
            }
        }
    }

    /// The next frame of one of these kinds.
    async fn next_of(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.frame().await?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }
}

/// A request that h2 has to refuse: by resetting the stream or ending the connection, and without
/// the gateway having seen it whole.
async fn refuses(what: &str, frames: Vec<u8>) {
    let mut rig = h2_rig().await;
    rig.open_h2().await;
    rig.send(frames).await;
    // An answer without a body may come before: that of h2 itself, or none of ours.
    let refusal = rig.next_of(&[RST_STREAM, GOAWAY, DATA]).await;
    assert!(refusal.is_none_or(|frame| frame.kind != DATA), "{what} was answered");
    assert!(rig.echo.seen().is_empty(), "{what} was seen: {:?}", rig.echo.seen());
}

fn one(more: &[(&str, &[u8])]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("/bad", more))
}

fn with_data(more: &[(&str, &[u8])], data: &[u8]) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, 1, &request("/bad", more));
    [head, frame(DATA, END_STREAM, 1, data)].concat()
}

#[tokio::test]
async fn a_good_request_is_answered() {
    let mut rig = h2_rig().await;
    rig.open_h2().await;
    rig.send(with_data(&[("content-length", b"4"), ("cookie", b"a"), ("cookie", b"b")], b"body"))
        .await;
    let answer = rig.next_of(&[DATA, RST_STREAM, GOAWAY]).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.payload), "PUT https://a/bad [body]");
}

#[tokio::test]
async fn h2_connection_fields() {
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
    ] {
        refuses(name, one(&[(name, value.as_bytes())])).await;
    }
}

#[tokio::test]
async fn h2_controls_in_values() {
    for value in ["a\r\nX: b", "a\nb", "a\rb", "a\0b"] {
        refuses(&format!("{value:?}"), one(&[("x", value.as_bytes())])).await;
        refuses(&format!("{value:?} in the path"), {
            let block = fields(&[
                (":method", b"GET"),
                (":scheme", b"https"),
                (":authority", b"a"),
                (":path", format!("/{value}").as_bytes()),
            ]);
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)
        })
        .await;
    }
}

#[tokio::test]
async fn h2_fragments() {
    for path in ["/coll/#x", "/coll/#", "/#a?b", "/a?b#c", "#"] {
        let block = fields(&[
            (":method", b"DELETE"),
            (":scheme", b"https"),
            (":authority", b"a"),
            (":path", path.as_bytes()),
        ]);
        refuses(path, frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
    }
}

#[tokio::test]
async fn h2_names() {
    for name in ["X-Upper", "a b", "a:", "", "a\r\nb", ":unknown"] {
        refuses(&format!("{name:?}"), one(&[(name, b"a")])).await;
    }
}

#[tokio::test]
async fn h2_length_must_match_data() {
    refuses("a short body", with_data(&[("content-length", b"5")], b"body")).await;
    refuses("a long body", with_data(&[("content-length", b"3")], b"body")).await;
    refuses("no body", one(&[("content-length", b"3")])).await;
    refuses("a length of no digits", with_data(&[("content-length", b"+4")], b"body")).await;
    let two: &[(&str, &[u8])] = &[("content-length", b"4"), ("content-length", b"5")];
    refuses("two lengths", with_data(two, b"body")).await;
}

#[tokio::test]
async fn h2_pseudo_fields() {
    let bad: &[&[(&str, &[u8])]] = &[
        &[(":method", b"GET"), (":scheme", b"https"), (":authority", b"a")],
        &[(":scheme", b"https"), (":authority", b"a"), (":path", b"/bad")],
        &[(":method", b"GET"), (":method", b"PUT"), (":scheme", b"https"), (":path", b"/bad")],
        &[(":method", b"GET"), (":scheme", b"https"), ("x", b"a"), (":path", b"/bad")],
        &[(":method", b"GET"), (":scheme", b"https"), (":path", b"/bad"), (":path", b"/b")],
        &[(":method", b"G T"), (":scheme", b"https"), (":authority", b"a"), (":path", b"/bad")],
        &[(":method", b"GET"), (":scheme", b"https"), (":authority", b"a b"), (":path", b"/bad")],
        &[(":method", b"GET"), (":scheme", b"https"), (":authority", b"a"), (":path", b"/b ad")],
        &[(":method", b"GET"), (":scheme", b"https"), (":authority", b"a"), (":path", b"")],
    ];
    for list in bad {
        let block = fields(list);
        refuses(&format!("{list:?}"), frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
    }
}

#[tokio::test]
async fn h2_a_head_beyond_the_limit_is_431() {
    let mut rig = h2_rig_with(Limits { head_bytes: 16 << 10, ..Limits::default() }).await;
    rig.open_h2().await;
    let value = vec![b'x'; 15 << 10];
    let block = request("/bad", &[("a", &value), ("b", &value)]);
    let (first, second) = block.split_at(16 << 10);
    let mut frames = frame(HEADERS, END_STREAM, 1, first);
    frames.extend(frame(CONTINUATION, END_HEADERS, 1, second));
    rig.send(frames).await;
    let answer = rig.next_of(&[HEADERS, RST_STREAM, GOAWAY]).await.unwrap();
    assert_eq!((answer.kind, answer.flags), (HEADERS, END_HEADERS | END_STREAM));
    // 431 in HPACK's Huffman code.
    assert!(answer.payload.windows(3).any(|bytes| bytes == [0x69, 0x90, 0xff]));
    assert!(rig.echo.seen().is_empty());
}

#[tokio::test]
async fn h2_continuation_flood_ends_the_connection() {
    let mut rig = h2_rig().await;
    rig.open_h2().await;
    rig.send(frame(HEADERS, END_STREAM, 1, &request("/bad", &[]))).await;
    for _ in 0..2000 {
        rig.send(frame(CONTINUATION, 0, 1, &fields(&[("x", &[b'x'; 1000])]))).await;
    }
    assert!(rig.next_of(&[DATA]).await.is_none());
    assert!(rig.echo.seen().is_empty());
}

#[tokio::test]
async fn h2_rapid_reset_ends_the_connection() {
    let mut rig = h2_rig().await;
    rig.open_h2().await;
    let mut frames = Vec::new();
    for stream in (1..2000).step_by(2) {
        frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &request("/never", &[])));
        frames.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    rig.send(frames).await;
    let goaway = rig.next_of(&[GOAWAY]).await;
    assert!(goaway.is_none_or(|frame| frame.payload[4..8] == 11u32.to_be_bytes()));
    assert!(rig.echo.seen().len() < 1000);
}

#[tokio::test]
async fn h2_more_streams_than_allowed_are_refused() {
    let mut rig = h2_rig_with(Limits { h2_streams: 3, ..Limits::default() }).await;
    rig.open_h2().await;
    for stream in [1, 3, 5, 7] {
        rig.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &request("/never", &[]))).await;
    }
    let refused = rig.next_of(&[RST_STREAM, GOAWAY]).await.unwrap();
    assert_eq!((refused.kind, refused.stream), (RST_STREAM, 7));
}

#[tokio::test]
async fn h2_silent_client_is_closed() {
    let mut rig = h2_rig().await;
    tokio::task::yield_now().await;
    tokio::time::pause();
    let begun = Instant::now();
    while rig.frame().await.is_some() {}
    let limits = Limits::default();
    assert!(begun.elapsed() <= limits.client_idle + limits.handshake + Duration::from_secs(1));
}

#[tokio::test]
async fn h2_idle_client_gets_goaway() {
    let mut rig = h2_rig().await;
    rig.open_h2().await;
    rig.send(one(&[])).await;
    rig.next_of(&[DATA]).await.unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    let goaway = rig.next_of(&[GOAWAY]).await.unwrap();
    assert_eq!(goaway.payload[4..8], 0u32.to_be_bytes());
    assert!(begun.elapsed() >= Limits::default().client_idle - Duration::from_secs(1));
    while rig.frame().await.is_some() {}
    rig.serving.await.unwrap();
    assert_eq!(rig.echo.ended(), ["closed"]);
}

#[tokio::test]
async fn h2_a_client_that_grants_nothing_is_cut() {
    let mut rig = h2_rig().await;
    // No window for answers at all.
    rig.send([PREFACE, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])].concat()).await;
    rig.send(one(&[])).await;
    rig.next_of(&[HEADERS]).await.unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    let reset = rig.next_of(&[RST_STREAM, GOAWAY, DATA]).await.unwrap();
    assert_eq!((reset.kind, reset.stream), (RST_STREAM, 1));
    let stall = Limits::default().client_stall;
    assert!(begun.elapsed() >= stall - Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(begun.elapsed() <= stall + Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn h2_a_stop_finishes_streams_and_says_goaway() {
    let mut rig = h2_rig().await;
    rig.open_h2().await;
    rig.send(frame(HEADERS, END_HEADERS, 1, &request("/1", &[]))).await;
    while rig.echo.connections.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let drain = std::mem::take(&mut rig.drain);
    let running = tokio::spawn(async move { drain.run(&Limits::default()).await });
    rig.next_of(&[GOAWAY]).await.unwrap();
    rig.send(frame(DATA, END_STREAM, 1, b"body")).await;
    let answer = rig.next_of(&[DATA, RST_STREAM]).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.payload), "PUT https://a/1 [body]");
    assert_eq!(answer.flags & END_STREAM, END_STREAM);
    while rig.frame().await.is_some() {}
    assert_eq!(running.await.unwrap().requests, 0);
}

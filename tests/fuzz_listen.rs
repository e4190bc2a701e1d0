//! Runs what the fuzz targets of the listener check: on the inputs that were worth keeping, and on
//! requests put together from parts that matter.

#![expect(clippy::unwrap_used, reason = "a check fails by panicking")]

use std::path::Path;

use proptest::prelude::*;

#[path = "../fuzz/fuzz_targets/common/proxy_protocol.rs"]
mod proxy_protocol;
#[path = "../fuzz/fuzz_targets/common/strict.rs"]
mod strict;

#[test]
fn strict_corpus() {
    replay("strict", strict::check);
}

#[test]
fn proxy_protocol_corpus() {
    replay("proxy_protocol", proxy_protocol::check);
}

/// The check would also pass if nothing were ever accepted.
#[test]
fn good_requests_are_accepted() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let put = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab";
    assert_eq!(strict::count(format!("{get}{put}{upgrade}{get}{upgrade}").as_bytes()), 5);
}

fn replay(corpus: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(corpus);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "the corpus {corpus} is empty");
}

const STARTS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\n",
    "PUT /x HTTP/1.1\r\n",
    "PUT /x HTTP/1.0\r\nConnection: keep-alive\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n",
    "GET /#x HTTP/1.1\r\nHost: a\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n",
    "GET / HTTP/1.1\nHost: a\r\n",
];
const FIELDS: &[&str] = &[
    "Host: a\r\n",
    "Content-Length: 3\r\n",
    "content-length:3 \r\n",
    "Content-Length: +3\r\n",
    "Content-Length: 0\r\n",
    "Content-Length : 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding:\tChunked\t\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding\r\n",
    "Upgrade: websocket\r\n",
    "Expect: 100-continue\r\n",
    "X: y\r\n",
    "X: y\n",
    " folded\r\n",
    "\r",
    "\0",
];
const BODIES: &[&str] = &[
    "",
    "abc",
    "3\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n",
    "3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "03\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\n0\r\n\r\n",
    "0\r\n\r\n",
    "0\r\nContent-Length: 3\r\n\r\n",
    "3",
];

fn requests() -> impl Strategy<Value = String> {
    use proptest::collection::vec;
    use proptest::sample::select;
    let fields = vec(select(FIELDS), 0..4).prop_map(|fields| fields.concat());
    let bodies = vec(select(BODIES), 0..3).prop_map(|bodies| bodies.concat());
    let one = (select(STARTS), fields, bodies)
        .prop_map(|(start, fields, body)| format!("{start}{fields}\r\n{body}"));
    vec(one, 1..4).prop_map(|requests| requests.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn hyper_sees_what_a_plain_reading_sees(
        requests in requests(),
        piece in any::<u8>(),
        cut in proptest::option::of((any::<proptest::sample::Index>(), any::<u8>())),
    ) {
        let mut input = requests.into_bytes();
        if let Some((at, byte)) = cut {
            let at = at.index(input.len());
            input[at] = byte;
        }
        input.insert(0, piece % 40);
        strict::check(&input);
    }

    #[test]
    fn proxy_headers_are_read_the_same_at_any_split(
        mut input in proptest::collection::vec(any::<u8>(), 1..80),
        version in 0..3,
    ) {
        let prefix: &[u8] = match version {
            0 => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20",
            1 => b"PROXY TCP4 1.2.3.4 5.6.7.8 ",
            _ => b"",
        };
        let tail = input.split_off(1);
        proxy_protocol::check(&[&input, prefix, &tail].concat());
    }
}

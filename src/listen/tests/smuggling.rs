//! One test per rule: a request that breaks it, sent over a socket after a good one and before a
//! hidden one. The good one is answered, the bad one refused, and the hidden one never seen.

use super::*;

const GOOD: &str = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// The head is refused: 400, close, and the gateway never sees it. At any split.
async fn refuses_head(bad: &str, rule: &str) {
    refuses_head_with(bad, 400, rule).await;
}

async fn refuses_head_with(bad: &str, status: u16, rule: &str) {
    let bytes = format!("{GOOD}{bad}{HIDDEN}");
    for piece in [bytes.len(), 1, 7] {
        let mut rig = rig().await;
        for piece in bytes.as_bytes().chunks(piece) {
            rig.send(piece).await;
        }
        let answers = rig.rest().await;
        assert_eq!(statuses(&answers), [200, status], "{bad:?} in pieces of {piece}: {answers}");
        assert_eq!(rig.echo.seen(), ["GET /good []"], "{bad:?} in pieces of {piece}");
        rig.serving.await.unwrap();
        let ended = rig.echo.ended().concat();
        assert!(ended.contains(rule), "{bad:?} in pieces of {piece} ended with {ended:?}");
    }
}

/// The body is refused: it ends with an error, the connection closes, nothing after it is seen.
async fn refuses_body(body: &str, rule: &str) {
    let head = "PUT /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = format!("{GOOD}{head}{body}{HIDDEN}");
    for piece in [bytes.len(), 1, 7] {
        let mut rig = rig().await;
        for piece in bytes.as_bytes().chunks(piece) {
            rig.send(piece).await;
        }
        let answers = rig.rest().await;
        assert_eq!(statuses(&answers), [200], "{body:?} in pieces of {piece}: {answers}");
        assert_eq!(rig.echo.seen(), ["GET /good []"], "{body:?} in pieces of {piece}");
        rig.serving.await.unwrap();
        let ended = rig.echo.ended().concat();
        assert!(ended.contains(rule), "{body:?} in pieces of {piece} ended with {ended:?}");
    }
}

fn post(fields: &str) -> String {
    format!("POST /bad HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
}

#[tokio::test]
async fn length_and_encoding_together() {
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "content-LENGTH: 0\r\ntransfer-ENCODING:chunked",
    ] {
        refuses_head(&post(fields), "length_and_encoding").await;
    }
}

#[tokio::test]
async fn encodings_other_than_one_chunked() {
    for fields in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked,",
    ] {
        refuses_head(&post(fields), "unknown_encoding").await;
    }
    refuses_head(&post("Transfer-Encoding: \u{b}chunked"), "").await;
}

#[tokio::test]
async fn encoding_in_http_1_0() {
    let bad = "POST /bad HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    refuses_head(bad, "encoding_in_old_version").await;
}

#[tokio::test]
async fn lengths_that_are_not_digits_alone() {
    for value in ["+4", "-4", "0x4", "4 4", "4,4", "4;", "four", "", "４", "99999999999999999999"]
    {
        refuses_head(&post(&format!("Content-Length: {value}")), "unclear_length").await;
    }
}

#[tokio::test]
async fn lengths_that_differ() {
    let fields = "Content-Length: 4\r\nContent-Length: 5";
    refuses_head(&post(fields), "unclear_length").await;
}

#[tokio::test]
async fn equal_lengths_are_one_length() {
    let mut rig = rig().await;
    let fields = "Content-Length: 4\r\nContent-Length: 4\r\nConnection: close";
    rig.send(format!("{}body", post(fields))).await;
    assert_eq!(statuses(&rig.rest().await), [200]);
    assert_eq!(rig.echo.seen(), ["POST /bad [body]"]);
}

#[tokio::test]
async fn folded_fields() {
    for fields in ["X: a\r\n b", "X: a\r\n\tContent-Length: 4", "X: a\r\n ", " X: a"] {
        refuses_head(&post(fields), "").await;
    }
}

#[tokio::test]
async fn bare_line_feeds() {
    for bad in [
        "GET /bad HTTP/1.1\nHost: a\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\r\n\n",
        "\nGET /bad HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /bad HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 4\r\n\r\n",
    ] {
        refuses_head(bad, "bare_line_feed").await;
    }
}

#[tokio::test]
async fn bare_carriage_returns() {
    for bad in [
        "GET /bad HTTP/1.1\rHost: a\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 4\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
        "GET /b\rad HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        refuses_head(bad, "").await;
    }
}

#[tokio::test]
async fn nul_and_other_controls() {
    for bad in [
        "GET /bad HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n",
        "GET /b\0ad HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /bad HTTP/1.1\r\nHost: a\r\nX: a\x07\r\n\r\n",
    ] {
        refuses_head(bad, "").await;
    }
}

#[tokio::test]
async fn blanks_before_the_colon() {
    for fields in
        ["Content-Length : 4", "Transfer-Encoding : chunked", "Content-Length\t: 4", "X : a"]
    {
        refuses_head(&post(fields), "").await;
    }
}

#[tokio::test]
async fn empty_and_broken_names() {
    for fields in [": a", ":", "no colon", "X\u{e9}: a", "(X): a", "X,Y: a"] {
        refuses_head(&post(fields), "").await;
    }
}

#[tokio::test]
async fn targets_that_others_read_differently() {
    for target in
        ["/bad#part", "/b\u{e9}", "/b\x07", "bad", "*", "//", "http:/bad", "ftp://a/bad", "a:80"]
    {
        let bad = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        if target == "//" {
            continue;
        }
        refuses_head(&bad, "").await;
    }
}

#[tokio::test]
async fn request_lines_with_other_blanks() {
    for line in [
        "GET  /bad HTTP/1.1",
        "GET /bad  HTTP/1.1",
        " GET /bad HTTP/1.1",
        "GET /bad HTTP/1.1 ",
        "GET\t/bad HTTP/1.1",
        "GET /bad\tHTTP/1.1",
        "GET /bad",
        "GET",
        "GET /a /bad HTTP/1.1",
    ] {
        refuses_head(&format!("{line}\r\nHost: a\r\n\r\n"), "").await;
    }
}

#[tokio::test]
async fn versions_we_do_not_speak() {
    for version in
        ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/11", "http/1.1", "HTTP/1.1x", "ICAP/1.0"]
    {
        refuses_head(&format!("GET /bad {version}\r\nHost: a\r\n\r\n"), "").await;
    }
}

#[tokio::test]
async fn two_hosts() {
    let bad = "GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    refuses_head(bad, "two_hosts").await;
    let bad = "GET /bad HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: a\r\n\r\n";
    refuses_head(bad, "two_hosts").await;
}

#[tokio::test]
async fn no_host() {
    refuses_head("GET /bad HTTP/1.1\r\nX: a\r\n\r\n", "no_host").await;
}

#[tokio::test]
async fn many_empty_lines() {
    refuses_head("\r\n\r\n\r\nGET /bad HTTP/1.1\r\nHost: a\r\n\r\n", "empty_lines").await;
}

#[tokio::test]
async fn one_empty_line_is_tolerated() {
    let mut rig = rig().await;
    rig.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1").await;
    rig.send("\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(statuses(&rig.rest().await), [200, 200]);
    assert_eq!(rig.echo.seen(), ["POST /1 [1]", "GET /2 []"]);
}

#[tokio::test]
async fn chunk_sizes() {
    for size in
        ["", "+4", "-4", "0x4", " 4", "4 ", "4\t", "4g", "g", "00000000000000004", "4 ;a", "4,5"]
    {
        refuses_body(&format!("{size}\r\nbody\r\n0\r\n\r\n"), "").await;
    }
}

#[tokio::test]
async fn chunk_size_overflow() {
    for size in ["ffffffffffffffffff", "10000000000000004"] {
        refuses_body(&format!("{size}\r\nbody\r\n0\r\n\r\n"), "").await;
    }
}

#[tokio::test]
async fn chunk_line_ends() {
    for body in [
        "4\nbody\r\n0\r\n\r\n",
        "4\rbody\r\n0\r\n\r\n",
        "4\r\nbody\n0\r\n\r\n",
        "4\r\nbody0\r\n\r\n",
        "4\r\nbodyXX0\r\n\r\n",
        "4\r\nbody\r\r\n0\r\n\r\n",
        "4\r\nbody\r\n0\n\r\n",
        "4\r\nbody\r\n0\r\n\n",
        "4\r\nbody\r\n0\r\n\r\r\n",
        "3\r\nbody\r\n0\r\n\r\n",
        "5\r\nbody\r\n0\r\n\r\n",
    ] {
        refuses_body(body, "").await;
    }
}

#[tokio::test]
async fn chunk_extensions() {
    let long = "x".repeat(300);
    for extension in [format!(";{long}"), ";a\0b".into(), ";a\rb".into(), ";a\nb".into()] {
        refuses_body(&format!("4{extension}\r\nbody\r\n0\r\n\r\n"), "").await;
    }
}

#[tokio::test]
async fn chunk_extensions_of_sane_length_are_ignored() {
    let mut rig = rig().await;
    let head = "PUT /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n";
    rig.send(format!("{head}\r\n4;a=\"b c\"\r\nbody\r\nA\r\n0123456789\r\n0;x\r\nT: 1\r\n\r\n"))
        .await;
    assert_eq!(statuses(&rig.rest().await), [200]);
    assert_eq!(rig.echo.seen(), ["PUT /1 [body0123456789]"]);
}

#[tokio::test]
async fn trailers_that_frame_or_fold() {
    for trailer in [
        "Content-Length: 4",
        "Transfer-Encoding: chunked",
        "Host: b",
        "X: a\r\n b",
        "X: a\n",
        "X : a",
        ": a",
        "GET /hidden HTTP/1.1",
        "X: a\0",
    ] {
        refuses_body(&format!("4\r\nbody\r\n0\r\n{trailer}\r\n\r\n"), "").await;
    }
    let long = format!("X: {}", "x".repeat(9000));
    refuses_body(&format!("4\r\nbody\r\n0\r\n{long}\r\n\r\n"), "trailer").await;
}

#[tokio::test]
async fn underscored_framing_names_do_not_frame() {
    // What they would frame is the next request: broken, but not hidden.
    let mut rig = rig().await;
    rig.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent_Length: 4\r\n\r\n").await;
    rig.send(
        "GET /2 HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(statuses(&rig.rest().await), [200, 200]);
    assert_eq!(rig.echo.seen(), ["POST /1 []", "GET /2 []"]);
}

#[tokio::test]
async fn http_2_preface_on_a_plain_socket() {
    let mut rig = rig().await;
    rig.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let answers = rig.rest().await;
    assert_eq!(statuses(&answers), [400]);
    assert!(rig.echo.seen().is_empty());
}

use std::sync::Arc;

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use http::{HeaderName, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::body::{Error, Side};
use crate::coding::Decoded;
use crate::config::checked::{self, Target, TargetAddress, UpstreamGroup};
use crate::tours::catalogue::{Catalogue, Files};
use crate::tours::embedded::Player;
use crate::tours::progress::store::Memory;
use crate::tours::progress::token::Key;

const NONCE: &str = "q0/z+9=";

/// A page as Nextcloud makes them, in short.
const PAGE: &str = include_str!("fixtures/page.html");

struct World {
    tours: Tours,
    view: View,
    site: Site,
}

impl World {
    fn new() -> Self {
        let player = Player::new("f(__PASSEUR_MANIFEST__)", "engine".into(), None).unwrap();
        let settings = checked::Tours { enabled: true, ..checked::Tours::default() };
        let catalogue = Arc::new(Catalogue::new(&Files::default()).unwrap());
        let view = View::new(&player, settings, &checked::AllTours::default(), Some(catalogue));
        let tours = Tours::new(player, Key::new(&[1; 32]), Arc::new(Memory::default()));
        let address = TargetAddress::Tcp { host: "a".to_owned(), port: 80 };
        let target = Target { tls: false, http2: false, address };
        let site = checked::Site::to("a", Vec::new(), UpstreamGroup::to(target));
        Self { tours, view, site: Site::new(Arc::new(site), &Arc::default()).unwrap() }
    }

    async fn inject(&self, response: Response<Body>) -> Response<Body> {
        self.tours.inject(response, &self.view, &self.site, "a", None).await
    }

    fn count(&self, outcome: &str) -> u64 {
        self.site.metrics.tours().of(outcome)
    }
}

fn answer(body: Body) -> Response<Body> {
    let policy = format!("default-src 'none';script-src-elem 'strict-dynamic' 'nonce-{NONCE}'");
    Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=UTF-8")
        .header("cache-control", "no-cache, no-store, must-revalidate")
        .header(CONTENT_SECURITY_POLICY, policy)
        .body(body)
        .unwrap()
}

fn pieces(bytes: &[u8], size: usize) -> Body {
    let pieces: Vec<Result<_, Error>> = bytes
        .chunks(size.max(1))
        .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    Body::made(StreamBody::new(futures_util::stream::iter(pieces)))
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn encode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    macro_rules! with {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all(bytes).await.unwrap();
            encoder.shutdown().await.unwrap();
            encoder.into_inner()
        }};
    }
    match coding {
        "br" => with!(BrotliEncoder),
        "gzip" => with!(GzipEncoder),
        _ => with!(ZstdEncoder),
    }
}

async fn decode(coding: &str, body: Body) -> String {
    let mut decoded = Decoded::new(Coding::named(coding).unwrap(), body);
    let mut bytes = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| decoded.poll_piece(cx)).await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// The page without the tag, and the tag.
fn cut(text: &str) -> (String, String) {
    let start =
        text[..text.find(" defer src=\"/_passeur/").unwrap()].rfind("<script nonce").unwrap();
    let length = text[start..].find("</script>").unwrap() + "</script>".len();
    let rest = [&text[..start], &text[start + length..]].concat();
    (rest, text[start..start + length].to_owned())
}

#[tokio::test]
async fn a_page_gets_one_tag_before_its_first_script() {
    let world = World::new();
    for size in [1, 7, 100, 1_000_000] {
        let text = text(world.inject(answer(pieces(PAGE.as_bytes(), size))).await).await;
        let (rest, tag) = cut(&text);
        assert!(rest == PAGE, "pieces of {size}");
        assert!(
            tag.contains(&format!("nonce=\"{NONCE}\" defer src=\"/_passeur/tours/a/")),
            "{tag}"
        );
        assert!(tag.contains("data-site=\"a\" data-progress=\"dav\" data-token=\"1."), "{tag}");
        assert_eq!(text.find("<script"), Some(text.find(&tag).unwrap()));
    }
    assert_eq!(world.count("injected"), 4);
}

#[tokio::test]
async fn a_page_with_a_tag_gets_no_second_one() {
    let world = World::new();
    let once = text(world.inject(answer(PAGE.into())).await).await;
    let twice = text(world.inject(answer(once.clone().into())).await).await;
    assert!(once == twice);
    assert_eq!(world.count("already_there"), 1);
}

#[tokio::test]
async fn the_header_is_right_again() {
    let mut response = answer(PAGE.into());
    let length = HeaderValue::from(PAGE.len());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    for (name, value) in [("etag", "\"x\""), ("digest", "a=b"), ("content-md5", "x")] {
        response.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    let response = World::new().inject(response).await;
    let headers = response.headers().clone();
    let text = text(response).await;
    assert_eq!(headers[CONTENT_LENGTH], text.len().to_string());
    assert_eq!(headers[ETAG], "W/\"x\"");
    assert!(!headers.contains_key("digest") && !headers.contains_key("content-md5"));
}

#[tokio::test]
async fn encoded_pages_stay_encoded() {
    let world = World::new();
    let long = format!("{PAGE}{}", "<p>word</p>".repeat(20_000));
    for coding in ["br", "gzip", "zstd"] {
        let encoded = encode(coding, long.as_bytes()).await;
        for size in [1, 1_000, 1_000_000] {
            let mut response = answer(pieces(&encoded, size));
            response.headers_mut().insert(CONTENT_ENCODING, coding.parse().unwrap());
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(encoded.len()));
            let response = world.inject(response).await;
            assert_eq!(response.headers()[CONTENT_ENCODING], coding);
            assert_eq!(response.headers().get(CONTENT_LENGTH), None);
            let (rest, tag) = cut(&decode(coding, response.into_body()).await);
            assert!(rest == long && tag.contains(NONCE), "{coding} in pieces of {size}");
        }
    }
}

#[tokio::test]
async fn an_encoded_page_without_a_tag_is_the_same_bytes() {
    let world = World::new();
    let other = PAGE.replace("body-user", "body-public");
    for (coding, page) in [("gzip", &*other), ("br", "no page"), ("zstd", &*other)] {
        let encoded = encode(coding, page.as_bytes()).await;
        for size in [1, 10, 1_000_000] {
            let mut response = answer(pieces(&encoded, size));
            response.headers_mut().insert(CONTENT_ENCODING, coding.parse().unwrap());
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(encoded.len()));
            let response = world.inject(response).await;
            assert_eq!(response.headers()[CONTENT_LENGTH], encoded.len().to_string());
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            assert!(bytes == encoded, "{coding} in pieces of {size}");
        }
    }
    // What is no gzip passes as it came, and the rest of it, too.
    let mut response = answer(pieces(&[b"no gzip".repeat(100_000)].concat(), 1_000));
    response.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let bytes = world.inject(response).await.into_body().collect().await.unwrap().to_bytes();
    assert!(bytes == b"no gzip".repeat(100_000));
    assert_eq!(world.count("undecodable"), 1);
}

#[tokio::test]
async fn hostile_pages_get_none() {
    let world = World::new();
    let head = "<!DOCTYPE html><html><head data-user=\"a\"><title>x</title>";
    let script = "<script nonce=\"n\"></script>";
    let body = "</head><body id=\"body-user\">";
    let huge = format!("{head}{script}{}{body}", " ".repeat(page::LIMIT));
    for (reason, page) in [
        ("no_user", format!("<!DOCTYPE html><html><head>{script}{body}")),
        ("no_user", format!("<!DOCTYPE html><html><head data-user=\"\">{script}{body}")),
        ("other_layout", format!("{head}{script}</head><body id=\"body-login\">")),
        ("other_layout", format!("{head}{script}</head><body>")),
        ("no_script", format!("{head}{body}")),
        ("no_body", format!("{head}{script}")),
        ("no_body", format!("{head}{script}</head><body id=\"body-user\"")),
        ("no_body", format!("<!-- {head}{script}{body} -->")),
        ("no_body", String::new()),
        ("odd_head", format!("<script>'{head}{body}'</script>")),
        ("odd_head", format!("<br>{head}{script}{body}")),
        ("odd_head", format!("{head}<template>{script}</template>{body}")),
        ("odd_head", format!("{head}<svg>{script}</svg>{body}")),
        ("odd_head", format!("{head}<base href=\"https://evil.example/\">{script}{body}")),
        ("odd_head", format!("{head}<head data-user=\"b\">{script}{body}")),
        (
            "meta_policy",
            format!(
                "{head}<meta http-equiv=\"Content-Security-Policy\" content=\"x\">{script}{body}"
            ),
        ),
        ("head_too_long", huge),
    ] {
        let before = world.count(reason);
        for size in [1, 13, 1_000_000] {
            let text = text(world.inject(answer(pieces(page.as_bytes(), size))).await).await;
            assert!(text == page, "{reason}, pieces of {size}: {text}");
        }
        assert_eq!(world.count(reason), before + 3, "{reason}: {page}");
    }
    assert_eq!(world.count("injected"), 0);
}

#[tokio::test]
async fn what_is_no_code_is_not_taken_for_it() {
    let world = World::new();
    let tricky = PAGE.replace(
        "<title>",
        "<!-- <script nonce=\"evil\"> <body id=\"body-login\"> --><title>&lt;script> <body> ",
    );
    let (rest, tag) = cut(&text(world.inject(answer(tricky.clone().into())).await).await);
    assert!(rest == tricky && tag.contains(NONCE) && !tag.contains("evil"));
    let at = world.inject(answer(tricky.into())).await;
    assert!(text(at).await.contains("<body> Files"), "the title is whole");
}

#[tokio::test]
async fn instead_of_the_first_run_wizard() {
    let wizard = "<script nonce=\"n\" type=\"module\" \
                  src=\"/apps/firstrunwizard/js/firstrunwizard-activate.mjs?v=1\"></script>";
    let page =
        PAGE.replacen("\t</head>", &format!("{wizard}<script nonce=\"n\"></script></head>"), 1);
    let mut world = World::new();
    for (policy, is_there) in
        [(Wizard::Wait, true), (Wizard::Ignore, true), (Wizard::Instead, false)]
    {
        world.view.settings.wizard = policy;
        let mut response = answer(page.clone().into());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(page.len()));
        let response = world.inject(response).await;
        let length = response.headers()[CONTENT_LENGTH].to_str().unwrap().to_owned();
        let text = text(response).await;
        assert_eq!(length, text.len().to_string(), "{policy:?}");
        let (rest, _) = cut(&text);
        let expected = if is_there { page.clone() } else { page.replacen(wizard, "", 1) };
        assert!(rest == expected, "{policy:?}: {rest}");
    }
    // One that holds something is not the one we know.
    world.view.settings.wizard = Wizard::Instead;
    let odd = page.replacen("mjs?v=1\"></script>", "mjs?v=1\">x()</script>", 1);
    let (rest, _) = cut(&text(world.inject(answer(odd.clone().into())).await).await);
    assert!(rest == odd);
}

#[tokio::test]
async fn the_policy_has_to_be_clear() {
    let world = World::new();
    for policies in [
        &["script-src 'nonce-a'", "script-src 'nonce-b'"][..],
        &["script-src 'self'"],
        &["script-src 'nonce-a\"><script>'"],
        &[],
    ] {
        let mut response = answer(PAGE.into());
        response.headers_mut().remove(CONTENT_SECURITY_POLICY);
        for policy in policies {
            response.headers_mut().append(CONTENT_SECURITY_POLICY, policy.parse().unwrap());
        }
        assert!(text(world.inject(response).await).await == PAGE, "{policies:?}");
    }
    assert_eq!(world.count("injected"), 0);
}

#[tokio::test]
async fn a_large_page_streams_and_a_broken_one_breaks() {
    let world = World::new();
    let large = format!("{PAGE}{}", "x".repeat(20 << 20));
    let response = world.inject(answer(large.clone().into())).await;
    let (rest, _) = cut(&text(response).await);
    assert!(rest == large);
    for cut_at in [10, 300, PAGE.len()] {
        let stalled = Err(Error::Stalled(Side::Upstream));
        let piece = Ok(Frame::data(Bytes::copy_from_slice(&PAGE.as_bytes()[..cut_at])));
        let body = Body::made(StreamBody::new(futures_util::stream::iter([piece, stalled])));
        let broken = world.inject(answer(body)).await.into_body().collect().await;
        assert!(broken.is_err(), "cut at {cut_at}");
    }
}

#[tokio::test]
async fn a_bomb_is_stopped() {
    let world = World::new();
    // Before the body begins: it passes as it came.
    let bomb = encode("gzip", &vec![b' '; 64 << 20]).await;
    let mut response = answer(pieces(&bomb, 4_096));
    response.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let bytes = world.inject(response).await.into_body().collect().await.unwrap().to_bytes();
    assert!(bytes == bomb);
    // After it: the body breaks off instead of growing for ever.
    let page = [PAGE.as_bytes(), &vec![b' '; 64 << 20]].concat();
    let mut response = answer(pieces(&encode("gzip", &page).await, 4_096));
    response.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let result = world.inject(response).await.into_body().collect().await;
    assert!(result.is_err());
    // Much code for no text is not kept for ever: an empty block of deflate, again and again.
    let empty = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0, 0, 0, 0xff, 0xff].repeat(400_000)];
    let empty = empty.concat();
    let mut response = answer(pieces(&empty, 4_096));
    response.headers_mut().insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let bytes = world.inject(response).await.into_body().collect().await.unwrap().to_bytes();
    assert!(bytes == empty);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_pieces_give_the_same_verdict(cuts in proptest::collection::vec(0..PAGE.len(), 0..12)) {
        let whole = page::Reader::new(true).push(&mut Bytes::from_static(PAGE.as_bytes()));
        let mut cuts = cuts;
        cuts.extend([0, PAGE.len()]);
        cuts.sort_unstable();
        let mut reader = page::Reader::new(true);
        let mut pieces = cuts.windows(2).map(|cut| &PAGE.as_bytes()[cut[0]..cut[1]]);
        let verdict = pieces.find_map(|piece| reader.push(&mut Bytes::from_static(piece)));
        prop_assert!(whole.is_some());
        prop_assert_eq!(whole, verdict);
    }
}

/// Real answers of Nextcloud 34.0.1; they are not part of the repository.
#[tokio::test]
async fn recorded_pages_of_signed_in_people_and_no_others() {
    let folder = std::env::var_os("PASSEUR_RECORDINGS").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/recordings/nextcloud-34/http").into(),
        std::path::PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: there are no recordings in {} (PASSEUR_RECORDINGS)", folder.display());
        return;
    };
    let world = World::new();
    let (mut pages, mut others) = (0, 0);
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "http") {
            continue;
        }
        let recorded = std::fs::read(&path).unwrap();
        let Some((response, body)) = response(&recorded) else { panic!("{}", path.display()) };
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_page = name.starts_with("user-") || name.starts_with("admin-");
        let nonce = csp::nonce(response.headers()).unwrap_or_default().to_owned();
        let headers = response.headers().clone();
        let changed = world.inject(response).await;
        let changed_headers = changed.headers().clone();
        let bytes = changed.into_body().collect().await.unwrap().to_bytes();
        if is_page {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let (rest, tag) = cut(&text);
            assert!(rest.as_bytes() == body, "{name}");
            assert!(tag.contains(&format!("nonce=\"{nonce}\" defer")), "{name}: {tag}");
            assert_eq!(text.matches("data-passeur-tours").count(), 1, "{name}");
            pages += 1;
        } else {
            assert!(bytes == body && headers == changed_headers, "{name}");
            others += 1;
        }
    }
    assert!(pages >= 8 && others >= 10, "{pages} pages, {others} others");
}

/// A recorded answer, and its body.
fn response(recorded: &[u8]) -> Option<(Response<Body>, &[u8])> {
    let (at, skip) = match memchr::memmem::find(recorded, b"\r\n\r\n") {
        Some(at) => (at, 4),
        None => (memchr::memmem::find(recorded, b"\n\n")?, 2),
    };
    let (head, body) = (std::str::from_utf8(&recorded[..at]).ok()?, &recorded[at + skip..]);
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut response = Response::builder().status(status);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        response = response.header(name.trim(), value.trim());
    }
    Some((response.body(Bytes::copy_from_slice(body).into()).ok()?, body))
}

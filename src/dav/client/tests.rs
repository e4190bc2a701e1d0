//! What servers could answer, from a transport that answers what it is told.

use std::sync::Mutex;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

/// Answers the same to everything, and remembers what it was asked.
struct Fake {
    answer: Box<dyn Fn() -> Result<Response<Body>, Error> + Send + Sync>,
    asked: Mutex<Vec<(String, String, HeaderMap)>>,
}

impl Transport for Fake {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, Error>> {
        let (head, body) = request.into_parts();
        let asked = (head.method.to_string(), head.uri.to_string(), head.headers);
        self.asked.lock().unwrap().push(asked);
        async move {
            // As a connection does, so that an upload that breaks is noticed.
            body.collect().await.map_err(|error| Error::Source(error.into()))?;
            (self.answer)()
        }
        .boxed()
    }
}

fn client(
    answer: impl Fn() -> Result<Response<Body>, Error> + Send + Sync + 'static,
) -> (Client, Arc<Fake>) {
    let fake = Arc::new(Fake { answer: Box::new(answer), asked: Mutex::default() });
    (Client::new(fake.clone(), "/remote.php/dav"), fake)
}

fn answering(status: u16, body: &str) -> (Client, Arc<Fake>) {
    let body = body.to_owned();
    client(move || Ok(answer(status, body.clone().into())))
}

fn answer(status: u16, body: Body) -> Response<Body> {
    Response::builder().status(status).body(body).unwrap()
}

fn multistatus(inside: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" xmlns:o=\"http://owncloud.org/ns\">\
         {inside}</d:multistatus>"
    )
}

fn response(href: &str, props: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 \
         200 OK</d:status></d:propstat></d:response>"
    )
}

async fn read(body: &str) -> Result<Vec<Entry>, Error> {
    let (client, _) = answering(207, body);
    client.propfind(&Path::root(), Depth::One, &[]).await?.all(1000).await
}

#[tokio::test]
async fn a_multistatus_is_read() {
    let id = Property::new("http://owncloud.org/ns", "owner-id");
    let body = multistatus(
        &(response(
            "/remote.php/dav/files/a%20b/",
            "<d:resourcetype><d:collection/></d:resourcetype><o:owner-id>a &amp; &#98;<![CDATA[<]]>\
             </o:owner-id>",
        ) + "<d:response><d:href>http://h/remote.php/dav/files/x%2520</d:href><d:propstat><d:prop>\
             <d:getetag/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>\
             </d:response><d:response><d:href>/remote.php/dav/gone</d:href><d:status>HTTP/1.1 404 \
             Not Found</d:status></d:response><d:sync-token>t</d:sync-token>"),
    );
    let (client, fake) = answering(207, &body);
    let mut entries = client.propfind(&Path::root(), Depth::Infinity, &[]).await.unwrap();
    let first = entries.next().await.unwrap().unwrap();
    assert_eq!(first.path.to_string(), "files/a b");
    assert_eq!(first.text(&id), Some("a & b<"));
    assert!(first.is_collection());
    let second = entries.next().await.unwrap().unwrap();
    assert_eq!(second.path.to_string(), "files/x%20");
    assert_eq!(second.text(&Property::dav("getetag")), None);
    assert!(!second.is_collection());
    let third = entries.next().await.unwrap().unwrap();
    assert_eq!(third.status, Some(StatusCode::NOT_FOUND));
    assert!(entries.next().await.unwrap().is_none());
    assert_eq!(entries.sync_token(), Some("t"));
    let asked = fake.asked.lock().unwrap();
    assert_eq!(asked[0].1, "/remote.php/dav");
    assert_eq!(asked[0].2["depth"], "infinity");
}

#[tokio::test]
async fn nonsense_is_an_error() {
    let fine = response("/remote.php/dav/x", "<d:getetag>1</d:getetag>");
    for (what, body) in [
        ("nothing", String::new()),
        ("a page", "<html></html>".to_owned()),
        ("another namespace", "<multistatus xmlns=\"x\"/>".to_owned()),
        ("a document type", format!("<!DOCTYPE x [<!ENTITY e \"e\">]>{}", multistatus(&fine))),
        ("an entity", multistatus(&response("/remote.php/dav/x", "<d:getetag>&e;</d:getetag>"))),
        ("an end too soon", multistatus(&fine).replace("</d:multistatus>", "")),
        ("a cut", multistatus(&fine)[..120].to_owned()),
        ("a wrong end", multistatus(&fine).replace("</d:prop>", "</d:porp>")),
        ("something after", multistatus(&fine) + "<x/>"),
        ("an unknown prefix", multistatus("<z:response/>")),
        ("an address elsewhere", multistatus(&response("/other", ""))),
        ("an address above", multistatus(&response("/remote.php/dav/../x", ""))),
        ("no address", multistatus("<d:response/>")),
        (
            "no status",
            multistatus(
                "<d:response><d:href>/remote.php/dav/</d:href><d:status>?</d:status></d:response>",
            ),
        ),
        ("depth", multistatus(&response("/remote.php/dav/", &"<d:a>".repeat(100)))),
    ] {
        let error = read(&body).await.expect_err(what);
        assert!(matches!(error, Error::Malformed(_) | Error::Path(_)), "{what}: {error:?}");
        assert!(error.to_string().len() < 400, "{what}");
    }
}

/// A body that never ends, of these pieces.
fn endless(head: String, piece: String) -> Body {
    let pieces = stream::once(async { head }).chain(stream::repeat(piece));
    let frames = pieces.map(|piece| Ok(Frame::data(Bytes::from(piece))));
    Body::made(StreamBody::new(frames))
}

#[tokio::test]
async fn an_endless_entry_is_given_up() {
    let head = "<d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>";
    for piece in ["x", "<x>", "<!--x", "&amp;", "</d:href><d:a/><d:href>"] {
        let piece = piece.repeat(10_000);
        let (client, _) = client(move || Ok(answer(207, endless(head.to_owned(), piece.clone()))));
        let mut entries = client.propfind(&Path::root(), Depth::One, &[]).await.unwrap();
        let error = entries.next().await.unwrap_err();
        assert!(matches!(error, Error::TooLarge(_) | Error::Malformed(_)), "{error:?}");
        assert!(entries.next().await.unwrap().is_none());
    }
    let (client, _) = client(|| Ok(answer(500, endless(String::new(), "x".repeat(10_000)))));
    let error = client.mkcol(&Path::root()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::INTERNAL_SERVER_ERROR));
    let (client, _) = self::client(|| Ok(answer(201, endless(String::new(), "x".repeat(10_000)))));
    assert!(matches!(client.mkcol(&Path::root()).await, Err(Error::TooLarge(_))));
}

#[tokio::test]
async fn a_list_without_an_end_comes_entry_by_entry() {
    let listed = |entry: String| {
        let head = "<d:multistatus xmlns:d=\"DAV:\">".to_owned();
        client(move || Ok(answer(207, endless(head.clone(), entry.clone())))).0
    };
    let client = listed(response("/remote.php/dav/x", "<d:getetag>1</d:getetag>").repeat(100));
    let mut entries = client.propfind(&Path::root(), Depth::One, &[]).await.unwrap();
    for _ in 0..10_000 {
        assert!(entries.next().await.unwrap().is_some());
    }
    // However much that is together.
    let large = format!("<d:getetag>{}</d:getetag>", "1".repeat(MAX_ENTRY_BYTES / 2));
    let mut entries = listed(response("/remote.php/dav/x", &large))
        .propfind(&Path::root(), Depth::One, &[])
        .await
        .unwrap();
    for _ in 0..4 {
        assert!(entries.next().await.unwrap().is_some());
    }
    let entries = client.propfind(&Path::root(), Depth::One, &[]).await.unwrap();
    assert!(matches!(entries.all(100).await, Err(Error::TooLarge(_))));
}

#[tokio::test]
async fn no_change_leaves_without_what_stops_mail() {
    let (client, fake) = answering(201, "");
    let path = Path::root().join("x").unwrap();
    client.mkcol(&path).await.unwrap();
    client.mkcalendar(&path, &[]).await.unwrap();
    client.mkaddressbook(&path, &[]).await.unwrap();
    client.move_to(&path, &path, Overwrite::No).await.unwrap();
    client.copy_to(&path, &path, Overwrite::Yes).await.unwrap();
    client.delete(&path, Trash::Keep).await.unwrap();
    client.delete(&path, Trash::Skip).await.unwrap();
    client.post(&path, "text/plain", Bytes::new()).await.unwrap();
    client.put(&path, Upload::of("x"), &Put::default()).await.unwrap();
    let _ = client.proppatch(&path, &[]).await;
    let _ = client.bulk(&path, Vec::new()).await;
    let chunked = client.chunked(path.clone(), path.clone(), 1);
    chunked.begin().await.unwrap();
    chunked.put(1, Upload::of("x")).await.unwrap();
    chunked.finish(&Put::default()).await.unwrap();
    chunked.abandon().await.unwrap();
    let asked = fake.asked.lock().unwrap();
    assert_eq!(asked.len(), 15);
    for (method, _, fields) in asked.iter() {
        assert_eq!(fields["schedule-reply"], "F", "{method}");
        assert_eq!(fields["x-nc-scheduling"], "false", "{method}");
    }
}

#[tokio::test]
async fn an_upload_has_its_length_or_breaks() {
    let path = Path::root().join("x").unwrap();
    let pieces =
        |count| stream::iter((0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from("ab"))));
    for (announced, sent, fine) in [(4, 2, true), (4, 1, false), (4, 3, false), (0, 0, true)] {
        let (client, fake) = answering(201, "");
        let upload = Upload::streamed(announced, pieces(sent));
        let outcome = client.put(&path, upload, &Put::default()).await;
        assert_eq!(outcome.is_ok(), fine, "{announced} {sent}: {outcome:?}");
        assert_eq!(fake.asked.lock().unwrap()[0].2["content-length"], announced.to_string());
    }
}

#[tokio::test]
async fn a_refusal_says_what_the_server_says() {
    let body = "<?xml version=\"1.0\"?><d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\
                <s:exception>OCA\\DAV\\Connector\\Sabre\\Exception\\FileLocked</s:exception>\
                <s:message>\"x\" is locked &amp; so on</s:message></d:error>";
    let (client, _) = client(move || {
        let mut answer = answer(423, body.into());
        answer.headers_mut().insert("retry-after", HeaderValue::from_static("120"));
        Ok(answer)
    });
    let error = client.mkcol(&Path::root()).await.unwrap_err();
    assert_eq!(error.to_string(), "423 Locked: FileLocked: \"x\" is locked & so on");
    assert_eq!(error.retry(), Retry::Safe);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (client, fake) = client(|| {
        let mut answer = answer(302, Body::Empty);
        answer.headers_mut().insert("location", HeaderValue::from_static("http://evil.example/"));
        Ok(answer)
    });
    let error = client.get(&Path::root(), None).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::FOUND));
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn questions_are_asked_again_and_changes_are_not() {
    let gone = |sent| Error::Unanswered { sent, source: "gone".into() };
    let (client, fake) = client(move || Err(gone(true)));
    let error = client.propfind(&Path::root(), Depth::Zero, &[]).await.unwrap_err();
    assert_eq!(error.retry(), Retry::LookFirst);
    assert_eq!(fake.asked.lock().unwrap().len(), 3);
    client.mkcol(&Path::root()).await.unwrap_err();
    assert_eq!(fake.asked.lock().unwrap().len(), 4);
    assert_eq!(gone(false).retry(), Retry::Safe);
}

#[tokio::test]
async fn a_range_is_the_one_that_was_asked_for() {
    let path = Path::root();
    let with = |status: u16, range: &'static str| {
        client(move || {
            let mut answer = answer(status, "cd".into());
            answer.headers_mut().insert("content-range", HeaderValue::from_static(range));
            Ok(answer)
        })
        .0
    };
    let got = with(206, "bytes 2-3/9").get(&path, Some(2..4)).await.unwrap();
    assert_eq!(got.from, 2);
    assert!(with(206, "bytes 0-3/9").get(&path, Some(2..4)).await.is_err());
    assert!(with(200, "").get(&path, Some(2..4)).await.is_err());
    assert!(with(206, "bytes 2-3/9").get(&path, None).await.is_err());
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_panic(body in ".{0,300}", inside in "[<>/a-z&;:\"'=! d\\[\\]-]{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let _ = read(&body).await;
            let _ = read(&multistatus(&response("/remote.php/dav/", &inside))).await;
        });
    }

    #[test]
    fn an_answer_is_the_same_in_any_pieces(cuts in proptest::collection::vec(0usize..400, 0..6)) {
        let body = multistatus(&(response("/remote.php/dav/a%C3%A9", "<o:x>é&lt;é</o:x>")
            + &response("/remote.php/dav/b", "<o:x y=\"&amp;1\"><d:z/></o:x>")));
        let mut pieces = vec![body.as_bytes()];
        for cut in cuts {
            let last = pieces.pop().unwrap();
            let (a, b) = last.split_at(cut.min(last.len()));
            pieces.extend([a, b]);
        }
        let pieces: Vec<_> = pieces.into_iter().map(Bytes::copy_from_slice).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let entries = runtime.block_on(async {
            let frames = move || {
                let frames = pieces.clone().into_iter().map(|piece| Ok(Frame::data(piece)));
                Ok(answer(207, Body::made(StreamBody::new(stream::iter(frames)))))
            };
            let entries = client(frames).0.propfind(&Path::root(), Depth::One, &[]).await.unwrap();
            entries.all(10).await.unwrap()
        });
        let x = Property::new("http://owncloud.org/ns", "x");
        assert_eq!(entries[0].path.to_string(), "aé");
        assert_eq!(entries[0].text(&x), Some("é<é"));
        assert_eq!(entries[1].get(&x).unwrap().attribute("y"), Some("&1"));
    }
}

//! How fast a page is read until its tag can be put in, and how fast the rest passes, in MB/s on one
//! core. `cargo bench --bench injection`; best of many runs, as the machine may be busy with other
//! things. A page from elsewhere: `cargo bench --bench injection -- FILE` (HTML alone).

#![expect(clippy::expect_used, reason = "a measurement may stop at once")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use passeur::body::Body;
use passeur::tours::inject::page::{Reader, Verdict};
use passeur::tours::inject::splice;

const RUNS: usize = if cfg!(debug_assertions) { 1 } else { 200 };
const TAG: &str = "<script nonce=\"x\" defer src=\"/_passeur/tours/a/0/loader.js\"></script>";

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let page = match given {
        Some(path) => std::fs::read_to_string(path).expect("a file of HTML"),
        None => page(),
    };
    let head =
        page.find("<body").map_or(page.len(), |at| at + page[at..].find('>').unwrap_or(0) + 1);
    println!("a page of {} bytes, {head} of them until its body has begun", page.len());
    let whole = Bytes::from(page.clone());
    report("until the head ends", head, || {
        let verdict = Reader::new(false).push(&mut whole.clone());
        assert!(matches!(verdict, Some(Verdict::Page(_))), "{verdict:?}");
    });
    let large = Bytes::from([page.as_bytes(), &vec![b'x'; 64 << 20]].concat());
    for size in [16 << 10, 256 << 10] {
        let pieces: Vec<Bytes> = (0..large.len())
            .step_by(size)
            .map(|at| large.slice(at..large.len().min(at + size)))
            .collect();
        report(&format!("64 MiB after it, pieces of {size}"), large.len(), || {
            let passed = pass(pieces.clone());
            assert_eq!(passed, large.len() + TAG.len());
        });
    }
}

/// How many bytes come out.
fn pass(pieces: Vec<Bytes>) -> usize {
    let frames = pieces.into_iter().map(|piece| Ok(http_body::Frame::data(piece)));
    let body = Body::made(http_body_util::StreamBody::new(futures_util::stream::iter(frames)));
    let reading = async {
        let mut body = splice(body, None, TAG).await;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += black_box(frame.expect("a frame").into_data().expect("data")).len();
        }
        length
    };
    reading.now_or_never().expect("nothing waits")
}

fn report(name: &str, bytes: usize, mut run: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let begun = Instant::now();
        run();
        best = best.min(begun.elapsed());
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = bytes as f64 / best.as_secs_f64() / 1e6;
    println!("{name:<40} {:>9.1} us {rate:>9.0} MB/s", best.as_secs_f64() * 1e6);
}

/// As large as the files page of Nextcloud 34, and built like it.
fn page() -> String {
    let nonce = "q0/z+9abcdefghijklmnopqrstuvwxyz0123456789A=";
    let link = |index| {
        format!(
            "<link rel=\"stylesheet\" href=\"/apps/app{index}/css/app.css?v=0123456{}-0\">\n",
            index % 10
        )
    };
    let script = |index| {
        format!(
            "<script nonce=\"{nonce}\" defer src=\"/dist/app{index}-main.js?v=f771e41c-0\"></script>\n"
        )
    };
    let links: String = (0..20).map(link).collect();
    let scripts: String = (0..100).map(script).collect();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head data-user=\"alice\"><title>Files</title>{links}{scripts}\
         </head><body id=\"body-user\">{}</body></html>",
        "<input type=\"hidden\" value=\"e30=\">".repeat(600)
    )
}

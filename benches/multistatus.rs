//! How fast multistatus answers are rewritten, in MB/s on one core, beside what it costs only to
//! read them with quick-xml. `cargo bench --bench multistatus`; best of many runs, as the machine
//! may be busy with other things.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use passeur::dav::multistatus::{Limits, OwnerRule, Rewriter, Rules};

const ENTRIES: usize = 2_000;
const RUNS: usize = if cfg!(debug_assertions) { 1 } else { 60 };

fn main() {
    let rules = Arc::new(rules());
    let nobody = Arc::new(Rules::new([rule("nobody", "bob")]));
    for (name, answer) in [("desktop client", desktop()), ("web page", web())] {
        println!("{name}: {ENTRIES} entries, {} bytes", answer.len());
        for chunk in [1 << 10, 16 << 10, usize::MAX] {
            let bytes = chunk.min(answer.len());
            report(&answer, &format!("all rewritten, pieces of {bytes}"), || {
                rewrite(&answer, &rules, chunk)
            });
        }
        report(&answer, "no rule applies, pieces of 16384", || rewrite(&answer, &nobody, 16 << 10));
        report(&answer, "quick-xml Reader, only reading", || read(&answer));
        report(&answer, "quick-xml NsReader, only reading", || read_resolved(&answer));
    }
}

fn rewrite(answer: &str, rules: &Arc<Rules>, chunk: usize) -> u64 {
    let mut out = Vec::with_capacity(64 << 10);
    let mut rewriter = Rewriter::new(rules.clone(), Limits::default());
    for chunk in answer.as_bytes().chunks(chunk) {
        rewriter.write(chunk, &mut |bytes| out.extend_from_slice(bytes));
        black_box(&out);
        out.clear();
    }
    rewriter.end(&mut |bytes| out.extend_from_slice(bytes));
    assert_eq!(rewriter.failed(), None);
    rewriter.replaced()
}

fn read(answer: &str) -> u64 {
    let mut reader = quick_xml::Reader::from_str(answer);
    let mut events = 0;
    while !matches!(reader.read_event(), Ok(quick_xml::events::Event::Eof) | Err(_)) {
        events += 1;
    }
    events
}

fn read_resolved(answer: &str) -> u64 {
    let mut reader = quick_xml::NsReader::from_str(answer);
    let mut events = 0;
    while !matches!(reader.read_resolved_event(), Ok((_, quick_xml::events::Event::Eof)) | Err(_)) {
        events += 1;
    }
    events
}

fn report(answer: &str, name: &str, mut run: impl FnMut() -> u64) {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let begun = Instant::now();
        black_box(run());
        best = best.min(begun.elapsed());
    }
    let rate = answer.len() as f64 / best.as_secs_f64() / 1e6;
    println!("  {name:<36} {:7.2} ms {rate:7.0} MB/s", best.as_secs_f64() * 1e3);
}

fn rules() -> Rules {
    Rules::new([rule("alice", "bob"), rule("carol", "bob")])
}

fn rule(from: &str, to: &str) -> OwnerRule {
    OwnerRule { from: from.into(), to: to.into(), display_name: format!("The {to}") }
}

/// What the desktop client asks for: the owner's id comes before the name.
fn desktop() -> String {
    let mut xml = head();
    for n in 0..ENTRIES {
        let _ = write!(
            xml,
            "<d:response><d:href>/remote.php/dav/files/alice/Budget/f{n:05}.pdf</d:href><d:propstat>\
             <d:prop><d:getlastmodified>Sun, 22 Nov 2026 06:10:42 GMT</d:getlastmodified><d:getetag>\
             &quot;26e148e9ac7186f7abd74bd14a{n:06}&quot;</d:getetag><d:getcontenttype>application/pdf\
             </d:getcontenttype><d:resourcetype/><d:getcontentlength>1000</d:getcontentlength>\
             <oc:fileid>{n}</oc:fileid><oc:permissions>RGDNVW</oc:permissions><oc:size>1000</oc:size>\
             <oc:owner-id>alice</oc:owner-id><oc:owner-display-name>Alice</oc:owner-display-name>\
             <oc:share-types/><oc:favorite>0</oc:favorite><nc:has-preview>false</nc:has-preview>\
             <nc:mount-type></nc:mount-type></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>\
             <d:propstat><d:prop><d:owner/><oc:checksums/><nc:is-encrypted/></d:prop><d:status>HTTP/1.1 \
             404 Not Found</d:status></d:propstat></d:response>"
        );
    }
    xml + "</d:multistatus>"
}

/// What the Files page asks for: in alphabetical order, so the name comes before the owner's id.
fn web() -> String {
    let mut xml = head();
    for n in 0..ENTRIES {
        let _ = write!(
            xml,
            "<d:response><d:href>/remote.php/dav/files/alice/Budget/f{n:05}.pdf</d:href><d:propstat>\
             <d:prop><d:getcontentlength>1000</d:getcontentlength><d:getcontenttype>application/pdf\
             </d:getcontenttype><d:getetag>&quot;26e148e9ac7186f7abd74bd14a{n:06}&quot;</d:getetag>\
             <d:getlastmodified>Sun, 22 Nov 2026 06:10:42 GMT</d:getlastmodified><d:displayname>\
             f{n:05}.pdf</d:displayname><d:resourcetype/><nc:has-preview>false</nc:has-preview>\
             <nc:mount-type></nc:mount-type><oc:comments-unread>0</oc:comments-unread><oc:favorite>0\
             </oc:favorite><oc:fileid>{n}</oc:fileid><oc:owner-display-name>Alice\
             </oc:owner-display-name><oc:owner-id>alice</oc:owner-id><oc:permissions>RGDNVW\
             </oc:permissions><oc:size>1000</oc:size></d:prop><d:status>HTTP/1.1 200 OK</d:status>\
             </d:propstat><d:propstat><d:prop><d:quota-available-bytes/><nc:is-encrypted/></d:prop>\
             <d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
        );
    }
    xml + "</d:multistatus>"
}

fn head() -> String {
    "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\" \
     xmlns:oc=\"http://owncloud.org/ns\" xmlns:nc=\"http://nextcloud.org/ns\">"
        .to_owned()
}

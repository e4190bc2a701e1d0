//! Runs what the fuzz targets check on the inputs that were worth keeping.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

#[path = "../fuzz/fuzz_targets/common/destination.rs"]
mod destination;
#[path = "../fuzz/fuzz_targets/common/etag.rs"]
mod etag;
#[path = "../fuzz/fuzz_targets/common/multistatus.rs"]
mod multistatus;
#[path = "../fuzz/fuzz_targets/common/path.rs"]
mod path;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn destination_corpus() {
    replay("fuzz/corpus/destination", destination::check);
}

#[test]
fn etag_corpus() {
    replay("fuzz/corpus/etag", etag::check);
}

#[test]
fn multistatus_corpus() {
    replay("fuzz/corpus/multistatus", multistatus::check);
}

#[test]
fn multistatus_fixtures() {
    replay("tests/data/multistatus", multistatus::check);
}

#[test]
fn path_corpus() {
    replay("fuzz/corpus/path", path::check);
}

fn replay(folder: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(catch_unwind(|| check(&input)).is_ok(), "{}", path.display());
        files += 1;
    }
    assert!(files > 0, "no corpus in {}", folder.display());
}

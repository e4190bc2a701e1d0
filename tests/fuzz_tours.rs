//! Runs what the fuzz target of pages checks on the inputs that were worth keeping.

#![expect(clippy::expect_used, reason = "what a test needs has to be there")]

#[path = "../fuzz/fuzz_targets/common/page.rs"]
mod page;

use std::fs;
use std::path::Path;

#[test]
fn page_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/page");
    let mut files = 0;
    for file in fs::read_dir(&folder).expect("a corpus") {
        let path = file.expect("a file").path();
        let input = fs::read(&path).expect("a file");
        let checked = std::panic::catch_unwind(|| page::check(&input));
        assert!(checked.is_ok(), "{}", path.display());
        files += 1;
    }
    assert!(files > 10, "only {files} files in {}", folder.display());
}

//! Any list of entity tags: a repair only takes away, leaves nothing to repair, and leaves as many
//! tags as there were.

use http::HeaderValue;
use passeur::dav::etag::repair;

/// Panics if that is not so.
pub fn check(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let Some(repaired) = repair(&value) else { return };
    let (before, after) = (value.as_bytes(), repaired.as_bytes());
    assert!(after.len() < before.len());
    assert!(is_subsequence(after, before), "something was added");
    assert_eq!(quotes(after), quotes(before));
    assert_eq!(repair(&repaired), None, "twice is not once");
}

fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}

fn quotes(list: &[u8]) -> usize {
    list.iter().filter(|byte| **byte == b'"').count()
}

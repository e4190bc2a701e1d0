//! A PROXY header is read the same at any split, and nothing after it is lost.

use passeur::listen::proxy_protocol::{length, parse};

/// The first byte says in which pieces the rest arrives.
pub fn check(input: &[u8]) {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let whole = length(bytes);
    // What is known early has to stay true.
    for end in (0..bytes.len()).step_by(usize::from(piece) + 1) {
        match (length(&bytes[..end]), &whole) {
            (Ok(None), _) => {}
            (Ok(Some(early)), Ok(Some(late))) => assert_eq!(early, *late),
            (Err(_), Err(_)) => {}
            (early, late) => panic!("{early:?} at {end} became {late:?}"),
        }
    }
    if let Ok(Some(length)) = whole
        && length <= bytes.len()
    {
        assert!(length <= 4 << 10);
        if parse(&bytes[..length]).is_ok() {
            // A header is never part of a longer one, or a shorter one a header too.
            assert!(parse(&bytes[..length - 1]).is_err());
        }
    }
}

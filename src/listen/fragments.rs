//! Refuses request targets with a fragment over HTTP/2.
//!
//! A client that forgets to escape the `#` in `DELETE /folder/#1.txt` means a file. The http crate
//! cuts a `:path` at its `#` before anyone sees it, and the whole folder would be deleted. So what a
//! client sends is followed here, frame by frame, as far as the field blocks (RFC 9113, section 4),
//! and in them as far as literal values of `:path` (RFC 7541, section 6.2). There each `#` becomes
//! `>`, which the http crate refuses: the stream is reset. In Huffman's code both are twelve bits and
//! differ in the last, so nothing gets longer or shorter.
//!
//! Invariant: nothing else is ever changed. What is malformed is left to h2. A client that names
//! `:path` by an entry of its own in the dynamic table, which no encoder does, is not looked after:
//! it could as well have left the fragment away.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::delegate_write;

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const PATH: &[u8] = b":path";
const PATH_IN_HUFFMAN: &[u8] = &[0xb9, 0x58, 0xd3, 0x3f];
/// `:path: /` and `:path: /index.html` in the static table.
const PATH_IN_TABLE: [u64; 2] = [4, 5];
/// Huffman's code for `#`; that for `>` is one more.
const HASH: u32 = 0xffa;
const HASH_BITS: u8 = 12;
/// Where the codes of each length end (RFC 7541, appendix B): they are in order, so a code is
/// complete as soon as it is below the end of its length.
const ENDS: [(u8, u32); 21] = [
    (5, 0xa),
    (6, 0x2e),
    (7, 0x7c),
    (8, 0xfe),
    (10, 0x3fd),
    (11, 0x7fd),
    (12, 0xffc),
    (13, 0x1ffe),
    (14, 0x3ffe),
    (15, 0x7fff),
    (19, 0x7_fff3),
    (20, 0xf_ffee),
    (21, 0x1f_ffe9),
    (22, 0x3f_ffec),
    (23, 0x7f_fff5),
    (24, 0xff_fff6),
    (25, 0x1ff_fff0),
    (26, 0x3ff_ffef),
    (27, 0x7ff_fff1),
    (28, 0xfff_ffff),
    (30, 0x3fff_ffff),
];

/// A connection on which fragments are refused.
#[derive(Debug)]
pub(super) struct WithoutFragments<S> {
    io: S,
    frames: Frames,
}

/// Follows the frames that a client sends.
#[derive(Debug)]
struct Frames {
    place: Place,
    block: Block,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing of interest: so much to skip.
    Skip(usize),
    /// The head of a frame, and how much of it there is.
    Head([u8; 9], usize),
    /// What stands before a field block: so much of it, the first byte being the length of the
    /// padding if it is `padded`.
    Before { left: usize, padded: bool, block: usize, padding: usize },
    /// A field block, and the padding after it.
    Block { left: usize, padding: usize },
}

/// Follows the field block of a request, which may be cut anywhere.
#[derive(Debug, Default)]
struct Block {
    part: Part,
    is_path: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    /// Before a field.
    #[default]
    Start,
    /// Within a number of several bytes.
    Number { value: u64, shift: u32, of: Of },
    /// Before the length of a name or a value.
    Length { name: bool },
    /// Within a name; how much of it is that of `:path` so far, if all was.
    Name { left: u64, huffman: bool, same: Option<usize> },
    /// Within a value, and a code of Huffman's.
    Value { left: u64, huffman: bool, code: u32, bits: u8 },
}

/// What a number is.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// A whole field, or a size.
    Field,
    /// The index of a literal field's name.
    NameIndex,
    /// The length of a name or a value.
    Length { name: bool, huffman: bool },
}

// === impl WithoutFragments ===

impl<S> WithoutFragments<S> {
    /// Follows a connection from its first byte.
    pub(super) fn new(io: S) -> Self {
        Self { io, frames: Frames { place: Place::Skip(PREFACE), block: Block::default() } }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithoutFragments<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        this.frames.follow(&mut buf.filled_mut()[start..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithoutFragments<S> {
    delegate_write!(io);

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

// === impl Frames ===

impl Frames {
    fn follow(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let (count, next) = self.step(bytes);
            self.place = next;
            bytes = &mut bytes[count..];
        }
    }

    /// How much of `bytes`, which are some, was followed, and where that leads.
    fn step(&mut self, bytes: &mut [u8]) -> (usize, Place) {
        match self.place {
            Place::Skip(left) => {
                let count = left.min(bytes.len());
                (count, Place::skip(left - count))
            }
            Place::Head(mut head, there) => {
                let count = (head.len() - there).min(bytes.len());
                head[there..there + count].copy_from_slice(&bytes[..count]);
                let there = there + count;
                (
                    count,
                    if there == head.len() { self.begin(head) } else { Place::Head(head, there) },
                )
            }
            Place::Before { left, padded, block, padding } => {
                let padding = if padded { usize::from(bytes[0]).min(block) } else { padding };
                let block = if padded { block - padding } else { block };
                (1, Place::before(left - 1, false, block, padding))
            }
            Place::Block { left, padding } => {
                let count = left.min(bytes.len());
                self.block.follow(&mut bytes[..count]);
                (count, Place::block(left - count, padding))
            }
        }
    }

    /// What follows the head of a frame.
    fn begin(&mut self, head: [u8; 9]) -> Place {
        let [a, b, c, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if kind != HEADERS && kind != CONTINUATION {
            return Place::skip(length);
        }
        let (mut before, mut padded) = (0, false);
        if kind == HEADERS {
            self.block = Block::default();
            padded = flags & PADDED != 0;
            before = usize::from(padded) + if flags & PRIORITY != 0 { 5 } else { 0 };
        }
        match length.checked_sub(before) {
            Some(block) => Place::before(before, padded, block, 0),
            None => Place::skip(length),
        }
    }
}

// === impl Place ===

impl Place {
    fn skip(left: usize) -> Self {
        if left == 0 { Place::Head([0; 9], 0) } else { Place::Skip(left) }
    }

    fn before(left: usize, padded: bool, block: usize, padding: usize) -> Self {
        match left {
            0 => Place::block(block, padding),
            _ => Place::Before { left, padded, block, padding },
        }
    }

    fn block(left: usize, padding: usize) -> Self {
        if left == 0 { Place::skip(padding) } else { Place::Block { left, padding } }
    }
}

// === impl Block ===

impl Block {
    fn follow(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            // What is of no interest is passed over at once.
            if let Part::Value { left, .. } = self.part
                && !self.is_path
            {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += count;
                self.value(left - count as u64, false);
                continue;
            }
            self.step(&mut bytes[at]);
            at += 1;
        }
    }

    fn step(&mut self, byte: &mut u8) {
        match self.part {
            Part::Start => self.field(*byte),
            Part::Number { value, shift, of } => {
                let more = u64::from(*byte & 0x7f).checked_shl(shift).unwrap_or(u64::MAX);
                let value = value.saturating_add(more);
                match *byte & 0x80 {
                    0 => self.number(value, of),
                    _ => self.part = Part::Number { value, shift: shift.saturating_add(7), of },
                }
            }
            Part::Length { name } => {
                let of = Of::Length { name, huffman: *byte & 0x80 != 0 };
                self.prefix(*byte & 0x7f, 0x7f, of);
            }
            Part::Name { left, huffman, same } => {
                let path = if huffman { PATH_IN_HUFFMAN } else { PATH };
                let same = same.filter(|&at| path.get(at) == Some(byte)).map(|at| at + 1);
                self.is_path = same == Some(path.len());
                self.part = match left {
                    1 => Part::Length { name: false },
                    _ => Part::Name { left: left - 1, huffman, same },
                };
            }
            Part::Value { left, huffman: false, .. } => {
                if *byte == b'#' {
                    *byte = b'>';
                }
                self.value(left - 1, false);
            }
            Part::Value { left, huffman: true, code, bits } => {
                let (code, bits) = refuse_in_huffman(byte, code, bits);
                self.part = match left {
                    1 => Part::Start,
                    _ => Part::Value { left: left - 1, huffman: true, code, bits },
                };
            }
        }
    }

    /// The first byte of a field (RFC 7541, section 6).
    fn field(&mut self, byte: u8) {
        self.is_path = false;
        match byte {
            0x80.. => self.prefix(byte & 0x7f, 0x7f, Of::Field),
            0x40.. => self.prefix(byte & 0x3f, 0x3f, Of::NameIndex),
            0x20.. => self.prefix(byte & 0x1f, 0x1f, Of::Field),
            _ => self.prefix(byte & 0x0f, 0x0f, Of::NameIndex),
        }
    }

    /// A number, or the part of it that fits into its first byte (RFC 7541, section 5.1).
    fn prefix(&mut self, value: u8, most: u8, of: Of) {
        let value = u64::from(value);
        match value == u64::from(most) {
            true => self.part = Part::Number { value, shift: 0, of },
            false => self.number(value, of),
        }
    }

    fn number(&mut self, value: u64, of: Of) {
        self.part = match of {
            Of::Field => Part::Start,
            Of::NameIndex => {
                self.is_path = PATH_IN_TABLE.contains(&value);
                Part::Length { name: value == 0 }
            }
            Of::Length { name: true, huffman } => match value {
                0 => Part::Length { name: false },
                left => Part::Name { left, huffman, same: Some(0) },
            },
            Of::Length { name: false, huffman } => return self.value(value, huffman),
        };
    }

    fn value(&mut self, left: u64, huffman: bool) {
        self.part = match left {
            0 => Part::Start,
            _ => Part::Value { left, huffman, code: 0, bits: 0 },
        };
    }
}

/// Goes through the codes in a byte, of which the first may have begun before. The code for `#`
/// becomes that for `>`: its last bit is set.
fn refuse_in_huffman(byte: &mut u8, mut code: u32, mut bits: u8) -> (u32, u8) {
    for bit in (0..8).rev() {
        code = code << 1 | u32::from(*byte >> bit & 1);
        bits += 1;
        if (bits, code) == (HASH_BITS, HASH) {
            *byte |= 1 << bit;
        }
        // None is longer than the last; what pretends to be is refused by h2.
        let complete = ENDS.iter().any(|&(length, end)| length == bits && code < end);
        if complete || bits >= 30 {
            (code, bits) = (0, 0);
        }
    }
    (code, bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes out for frames that come in pieces of `size`.
    fn followed(frames: &[u8], size: usize) -> Vec<u8> {
        let mut follower = Frames { place: Place::Skip(PREFACE), block: Block::default() };
        let mut bytes = [&[b' '; PREFACE][..], frames].concat();
        bytes.chunks_mut(size).for_each(|piece| follower.follow(piece));
        bytes.split_off(PREFACE)
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn fragments_in_every_spelling() {
        // A literal with and without indexing, one never indexed, a name in full or in Huffman's
        // code, a value in Huffman's code; fields with a `#` that is theirs before and after.
        let other = b"\x00\x01#\x03#b#";
        for (path, expected) in [
            (&b"\x44\x04/a#b"[..], &b"\x44\x04/a>b"[..]),
            (b"\x04\x04/a#b", b"\x04\x04/a>b"),
            (b"\x15\x02/#", b"\x15\x02/>"),
            (b"\x40\x05:path\x03###", b"\x40\x05:path\x03>>>"),
            (b"\x00\x84\xb9\x58\xd3\x3f\x02/#", b"\x00\x84\xb9\x58\xd3\x3f\x02/>"),
            (b"\x44\x84\x60\x7f\xf5\x1f", b"\x44\x84\x60\x7f\xf7\x1f"),
            // No path, or none that would be changed.
            (b"\x44\x04/a%b", b"\x44\x04/a%b"),
            (b"\x40\x06:path#\x02/#", b"\x40\x06:path#\x02/#"),
            (b"\x40\x04:pat\x02/#", b"\x40\x04:pat\x02/#"),
            (b"\x7f\x04\x02/#", b"\x7f\x04\x02/#"),
            (b"\x84\x3f\xe1\x1f\xff\x00", b"\x84\x3f\xe1\x1f\xff\x00"),
        ] {
            let block = |path: &[u8]| [other, path, other].concat();
            let frames = |path: &[u8]| {
                let block = block(path);
                let (first, second) = block.split_at(block.len() / 2);
                let prelude = [b"\x02####\xff", first, b"##"].concat();
                [
                    frame(4, 0, b"\x44\x02/#"),
                    frame(HEADERS, 4, &block),
                    frame(0, 0, b"\x44\x02/#"),
                    frame(HEADERS, PADDED | PRIORITY, &prelude),
                    frame(CONTINUATION, 0, &[]),
                    frame(CONTINUATION, 4, second),
                ]
                .concat()
            };
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(followed(&frames(path), size), frames(expected), "{path:x?}");
            }
        }
    }

    #[test]
    fn long_values_are_followed_to_their_end() {
        let long = [&b"\x44\x7f\xc9\x0f/"[..], &b"a".repeat(2118), b"#"].concat();
        assert_eq!(followed(&frame(HEADERS, 4, &long), 11).last(), Some(&b'>'));
        let other = [&b"\x0f\x2f\x7f\xc9\x0f"[..], &b"#".repeat(2120), b"\x44\x01#"].concat();
        let out = followed(&frame(HEADERS, 4, &other), 11);
        assert_eq!(out.iter().filter(|&&byte| byte == b'>').count(), 1);
    }

    proptest! {
        /// Whatever comes, in whatever pieces, keeps its length, and nothing but what is a `#` in
        /// one of its codes changes.
        #[test]
        fn any_bytes_in_any_pieces(
            payloads in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..80)), 0..8),
            size in 1..40usize,
        ) {
            let frames: Vec<Vec<u8>> =
                payloads.iter().map(|(flags, payload)| frame(HEADERS, *flags, payload)).collect();
            let frames = frames.concat();
            let out = followed(&frames, size);
            prop_assert_eq!(&out, &followed(&frames, usize::MAX));
            prop_assert_eq!(out.len(), frames.len());
            for (before, after) in frames.iter().zip(&out) {
                prop_assert!(before == after || (*before, *after) == (b'#', b'>')
                    || (before ^ after).count_ones() == 1);
            }
        }

        /// A path without fragment in Huffman's code, as h2 itself writes it, is not touched.
        #[test]
        fn codes_are_told_apart(codes in prop::collection::vec(0..HUFFMAN.len(), 1..60), size in 1..9usize) {
            let mut path = Vec::new();
            let (mut bits, mut count) = (0u64, 0);
            for &code in &codes {
                let (code, length) = HUFFMAN[code];
                bits = bits << length | u64::from(code);
                count += length;
                while count >= 8 {
                    count -= 8;
                    path.push((bits >> count) as u8);
                }
            }
            if count > 0 {
                path.push(((bits << (8 - count)) as u8) | (0xff >> count));
            }
            let block = [&[0x44, 0x80 | u8::try_from(path.len()).unwrap()], &path[..]].concat();
            prop_assume!(path.len() < 127);
            let frames = frame(HEADERS, 4, &block);
            prop_assert_eq!(followed(&frames, size), frames);
        }
    }

    /// Codes of characters that paths are made of, and what looks like `#` where two of them meet:
    /// `/` `a` `0` `~` `}` `?` `%` `|` `>` and ten bits of the rarest.
    const HUFFMAN: [(u32, u32); 9] = [
        (0x18, 6),
        (0x3, 5),
        (0x0, 5),
        (0x1ffd, 13),
        (0x3ffd, 14),
        (0x3fc, 10),
        (0x15, 6),
        (0x7fc, 11),
        (0xffb, 12),
    ];
}

//! How memory is asked for.
//!
//! The allocator marks its arenas for huge pages. Where the system grants those (`madvise` is the
//! default of most distributions), a buffer of 16 KiB of which a few hundred bytes are used is
//! resident as a whole, and each idle connection has several such buffers: half of what 5,000 of
//! them took was never touched. Small pages cost a little more of the processor for large bodies,
//! which pass through few and small buffers here.

/// Asks the system for small pages only, from now on; to be called before anything else runs. Where
/// it refuses, more memory is taken.
pub fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay allowed");
    }
}

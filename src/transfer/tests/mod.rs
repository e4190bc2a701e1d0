//! Transfers against the stand-in, which keeps its state in Nextcloud's own tables.

mod hand_over;
mod world;

//! Transfers against the stand-in, which keeps its state in Nextcloud's own tables.

mod crash;
mod hand_over;
mod orders;
mod others;
mod streams;
mod world;

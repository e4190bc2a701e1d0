//! Transfers against the stand-in.

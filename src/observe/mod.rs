//! What operators see: metrics, the access log, and diagnostics.

pub mod access;
pub mod metrics;

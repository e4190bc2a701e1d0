//! Handing over: what one account has goes to others.

pub mod model;

//! (to come) raw -> checked; reload.
pub mod checked;

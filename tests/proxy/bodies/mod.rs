//! Bodies, sizes, time. Rows 19 to 37.

mod answers;
mod early;
mod moves;
mod uploads;

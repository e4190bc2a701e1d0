//! dav
pub mod destination;
pub mod etag;
pub mod multistatus;
pub mod path;

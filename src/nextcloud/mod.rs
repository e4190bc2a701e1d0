//! One Nextcloud as seen from outside.

pub mod db;

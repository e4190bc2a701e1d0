//! stub
/// kinds
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Web,
    Files,
    Calendars,
    Contacts,
    Sync,
    WebSocket,
}
impl Kind {
    /// n
    pub const COUNT: usize = 6;
    /// s
    pub fn of_path(_p: &str) -> Self {
        Kind::Web
    }
    /// s
    pub fn as_str(self) -> &'static str {
        "web"
    }
    /// All names.
    pub const NAMES: [&'static str; 6] =
        ["web", "files", "calendars", "contacts", "sync", "websocket"];
}
/// dav?
pub fn is_dav_path(p: &str) -> bool {
    p.contains("/remote.php/") || p.contains("/public.php/")
}

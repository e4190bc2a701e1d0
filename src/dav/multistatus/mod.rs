//! stub
/// stub
pub struct Rules;
/// stub
pub struct OwnerRule {
    /// a
    pub from: String,
    /// a
    pub to: String,
    /// a
    pub display_name: String,
}
impl Rules {
    /// stub
    pub fn new(_: impl IntoIterator<Item = OwnerRule>) -> Self {
        Rules
    }
}

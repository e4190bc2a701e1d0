//! stub
/// t
pub struct Target<'a> {
    /// a
    pub authority: Option<&'a str>,
}
/// m
pub struct Malformed;
/// d
pub fn destination(_: &http::HeaderValue) -> Result<Target<'_>, Malformed> {
    Ok(Target { authority: None })
}
/// d
pub fn tagged_resources(
    _: &http::HeaderValue,
) -> impl Iterator<Item = Result<Target<'_>, Malformed>> {
    std::iter::empty()
}

//! The tag, as text.

use std::fmt::Write;

/// What stands in a tag.
pub struct Tag<'a> {
    /// As the header has it: base64.
    pub nonce: &'a str,
    /// Address of the loader.
    pub loader: &'a str,
    /// The site, for conditions.
    pub site: &'a str,
    /// Where progress is kept.
    pub progress: &'a str,
    /// What the page shows to Passeur later.
    pub token: &'a str,
    /// Apps with their versions.
    pub apps: &'a [(String, String)],
    /// What to do about the first-run wizard.
    pub wizard: &'a str,
    /// Address of the page for admins, if there is one.
    pub admin: Option<&'a str>,
    /// A tour to start at once.
    pub preview: Option<&'a str>,
}

impl Tag<'_> {
    /// As HTML.
    #[must_use]
    pub fn render(&self) -> String {
        let mut html = String::with_capacity(512);
        html.push_str("<script");
        attribute(&mut html, "nonce", self.nonce);
        html.push_str(" defer");
        attribute(&mut html, "src", self.loader);
        attribute(&mut html, "data-passeur-tours", "1");
        attribute(&mut html, "data-site", self.site);
        attribute(&mut html, "data-progress", self.progress);
        attribute(&mut html, "data-token", self.token);
        let apps = self.apps.iter().map(|(app, version)| format!("{app}={version}"));
        attribute(&mut html, "data-apps", &apps.collect::<Vec<_>>().join(" "));
        attribute(&mut html, "data-wizard", self.wizard);
        for (name, value) in [("data-admin", self.admin), ("data-preview", self.preview)] {
            if let Some(value) = value {
                attribute(&mut html, name, value);
            }
        }
        html.push_str("></script>");
        html
    }
}

fn attribute(html: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = write!(html, " {name}=\"");
    for c in value.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            c => html.push(c),
        }
    }
    html.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_attribute() {
        let tag = Tag {
            nonce: "a+/=",
            loader: "/_passeur/tours/a/0/loader.js",
            site: "\"><script>&",
            progress: "dav",
            token: "t",
            apps: &[
                ("files".to_owned(), "2.6.0".to_owned()),
                ("text".to_owned(), "8.0.0".to_owned()),
            ],
            wizard: "wait",
            admin: None,
            preview: None,
        };
        assert_eq!(
            tag.render(),
            "<script nonce=\"a+/=\" defer src=\"/_passeur/tours/a/0/loader.js\" \
             data-passeur-tours=\"1\" data-site=\"&quot;&gt;&lt;script&gt;&amp;\" \
             data-progress=\"dav\" data-token=\"t\" data-apps=\"files=2.6.0 text=8.0.0\" \
             data-wizard=\"wait\"></script>"
        );
    }
}

//! Which files and folders a request takes, and for whom.

use globset::{GlobBuilder, GlobMatcher};

use crate::transfer::model::{Kind, Request, Selection};

/// The selections of a request, with their recipients, in order.
pub(super) struct Chooser(Vec<Rule>);

struct Rule {
    recipient: String,
    /// Empty: everything.
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
}

/// A pattern for a path, with or without a slash before it.
pub(super) fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    let pattern = format!("/{}", pattern.trim_matches('/'));
    let mut builder = GlobBuilder::new(&pattern);
    // A name with brackets is a name: without `*` and `?` nothing is a pattern.
    if !has_wildcards(&pattern) {
        return Ok(builder
            .literal_separator(true)
            .build()
            .map_err(|e| e.to_string())?
            .compile_matcher());
    }
    builder.literal_separator(true).backslash_escape(true);
    builder.build().map(|glob| glob.compile_matcher()).map_err(|error| error.to_string())
}

fn has_wildcards(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

// === impl Chooser ===

impl Chooser {
    /// Of a request that was checked.
    pub fn new(request: &Request) -> Self {
        let mut rules = Vec::new();
        let parts = request.assignments.iter().map(|part| (&part.recipient, &part.selection));
        let rest = request.recipient.iter().map(|recipient| (recipient, &request.selection));
        for (recipient, selection) in parts.chain(rest) {
            if !selection.has(Kind::Folder) {
                continue;
            }
            let (include, exclude): (&[String], &[String]) = match selection {
                Selection::All(_) => (&[], &[]),
                Selection::Parts(parts) => (&parts.include, &parts.exclude),
            };
            let globs = |all: &[String]| all.iter().filter_map(|one| glob(one).ok()).collect();
            rules.push(Rule {
                recipient: recipient.clone(),
                include: globs(include),
                exclude: globs(exclude),
            });
        }
        Self(rules)
    }

    /// The paths that the patterns name; none if one has a wildcard.
    pub fn names(&self) -> Option<Vec<String>> {
        let globs = self.0.iter().flat_map(|rule| rule.include.iter().chain(&rule.exclude));
        let name = |glob: &GlobMatcher| {
            let pattern = glob.glob().glob();
            (!has_wildcards(pattern)).then(|| pattern.to_owned())
        };
        globs.map(name).collect()
    }

    /// Who gets a path (`/Work/Report.odt`); nobody, if it stays. Of patterns that cover a path, the
    /// one that matches nearest to it counts; of two as near, the one that excludes.
    pub fn recipient(&self, path: &str) -> Option<&str> {
        let takes = |rule: &&Rule| {
            let everything = rule.include.is_empty().then_some(0);
            let included = nearest(&rule.include, path, false).or(everything);
            included > nearest(&rule.exclude, path, true)
        };
        self.0.iter().find(takes).map(|rule| rule.recipient.as_str())
    }
}

/// How near to a path a pattern is that matches it, or a folder above it: as long as the pattern
/// is before its first wildcard. A wildcard that excludes is nearer than anything.
fn nearest(globs: &[GlobMatcher], path: &str, excludes: bool) -> Option<usize> {
    let above = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    let ends: Vec<usize> = above.chain([path.len()]).collect();
    let near = |glob: &GlobMatcher| {
        let pattern = glob.glob().glob();
        let end = ends.iter().rev().find(|end| glob.is_match(&path[..**end]))?;
        Some(match pattern.find(['*', '?', '{']) {
            Some(_) if excludes => usize::MAX,
            Some(wildcard) => wildcard,
            None => *end,
        })
    };
    globs.iter().filter_map(near).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_go_to_their_recipients_and_the_rest_to_the_other() {
        let request: Request = serde_json::from_str(
            r#"{"source":"a","recipient":"rest","selection":{"include":["/Work/**","/x.txt"],
                "exclude":["/Work/**/*.tmp","/Work/Secret"]},
                "assignments":[{"recipient":"bob","selection":{"include":["/Work/Budget"]}}]}"#,
        )
        .expect("a request");
        let chooser = Chooser::new(&request);
        for (path, recipient) in [
            ("/Work/Budget/x", Some("bob")),
            ("/Work/Plan/a.txt", Some("rest")),
            ("/Work/Plan/a.tmp", None),
            ("/Work/Secret/x", None),
            ("/Work", None),
            ("/x.txt", Some("rest")),
            ("/y.txt", None),
        ] {
            assert_eq!(chooser.recipient(path), recipient, "{path}");
        }
    }

    #[test]
    fn the_nearest_pattern_counts() {
        let request: Request = serde_json::from_str(
            r#"{"source":"a","recipient":"b","selection":{"include":["/a/b","/a/b/c/d"],
                "exclude":["/a/b/c"]}}"#,
        )
        .expect("a request");
        let chooser = Chooser::new(&request);
        assert_eq!(chooser.recipient("/a/b/x"), Some("b"));
        assert_eq!(chooser.recipient("/a/b/c/x"), None);
        assert_eq!(chooser.recipient("/a/b/c/d/x"), Some("b"));
    }

    #[test]
    fn a_name_that_looks_like_a_pattern_can_be_escaped() {
        assert!(glob("/50% [draft]").expect("a class").is_match("/50% d"));
        assert!(glob(r"/50% \[draft\]").expect("a name").is_match("/50% [draft]"));
        assert!(glob("/a;b#c&d+é").expect("a name").is_match("/a;b#c&d+é"));
    }
}

//! Which files and folders a request takes, and for whom.

use globset::{GlobBuilder, GlobMatcher};

use crate::transfer::model::{Kind, Request, Selection};

/// What becomes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to this account, with all below.
    Goes(String),
    /// It stays, because a pattern says so.
    Stays,
    /// Nothing says anything about it; what is below may go.
    Open,
}

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
    if !pattern.contains(['*', '?', '[', '{']) {
        return Ok(builder
            .literal_separator(true)
            .build()
            .map_err(|e| e.to_string())?
            .compile_matcher());
    }
    builder.literal_separator(true).backslash_escape(true);
    builder.build().map(|glob| glob.compile_matcher()).map_err(|error| error.to_string())
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

    /// What becomes of a path (`/Work/Report.odt`) that lies in no folder of a known fate.
    pub fn fate(&self, path: &str) -> Fate {
        let mut open = false;
        for rule in &self.0 {
            if rule.exclude.iter().any(|glob| glob.is_match(path)) {
                // Others may take it.
                continue;
            }
            if rule.include.is_empty() || rule.include.iter().any(|glob| glob.is_match(path)) {
                return Fate::Goes(rule.recipient.clone());
            }
            open = true;
        }
        if open { Fate::Open } else { Fate::Stays }
    }

    /// Whether a path below one that goes to `recipient` has another fate.
    pub fn differs(&self, path: &str, recipient: &str) -> bool {
        for rule in &self.0 {
            if rule.exclude.iter().any(|glob| glob.is_match(path)) {
                if rule.recipient == recipient {
                    return true;
                }
                continue;
            }
            if rule.recipient == recipient {
                return false;
            }
            if rule.include.iter().any(|glob| glob.is_match(path)) {
                return true;
            }
        }
        false
    }
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
        assert_eq!(chooser.fate("/Work/Budget"), Fate::Goes("bob".into()));
        assert_eq!(chooser.fate("/Work/Plan"), Fate::Goes("rest".into()));
        assert_eq!(chooser.fate("/Work/Secret"), Fate::Open);
        assert_eq!(chooser.fate("/Work"), Fate::Open);
        assert_eq!(chooser.fate("/x.txt"), Fate::Goes("rest".into()));
        assert_eq!(chooser.fate("/y.txt"), Fate::Open);
        assert!(chooser.differs("/Work/Plan/a.tmp", "rest"));
        assert!(!chooser.differs("/Work/Plan/a.txt", "rest"));
    }

    #[test]
    fn a_name_that_looks_like_a_pattern_can_be_escaped() {
        assert!(glob("/50% [draft]").expect("a class").is_match("/50% d"));
        assert!(glob(r"/50% \[draft\]").expect("a name").is_match("/50% [draft]"));
        assert!(glob("/a;b#c&d+é").expect("a name").is_match("/a;b#c&d+é"));
    }
}

//! What a live check found, for people and for programs.

use std::fmt;

use serde::Serialize;

/// One site, asked for as one host.
#[derive(Debug, Serialize)]
pub(super) struct SiteReport {
    pub(super) site: String,
    pub(super) host: String,
    /// Its web servers.
    pub(super) targets: Vec<TargetReport>,
    /// What concerns none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<Finding>,
}

/// One web server.
#[derive(Debug, Serialize)]
pub(super) struct TargetReport {
    pub(super) target: String,
    /// The prefix of the route that it serves; `None` for the site itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) findings: Vec<Finding>,
}

/// One answer.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// A stable name of the question.
    pub(super) check: &'static str,
    pub(super) level: Level,
    pub(super) text: String,
    /// Commands and settings that put it right, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fix: Vec<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Could be better, or could not be found out.
    Advice,
    /// Something does not work, or is not safe.
    Problem,
}

// === impl SiteReport ===

impl SiteReport {
    pub(super) fn levels(&self) -> impl Iterator<Item = Level> {
        let targets = self.targets.iter().flat_map(|target| &target.findings);
        targets.chain(&self.findings).map(|finding| finding.level)
    }

    pub(super) fn worst(&self) -> Level {
        self.levels().max().unwrap_or(Level::Ok)
    }
}

impl fmt::Display for SiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, asked for as {}", self.site, self.host)?;
        for finding in &self.findings {
            write!(f, "{finding}")?;
        }
        for TargetReport { target, route, findings, .. } in &self.targets {
            match route {
                Some(prefix) => writeln!(f, "  {prefix} at {target}")?,
                None => writeln!(f, "  {target}")?,
            }
            for finding in findings {
                write!(f, "{finding}")?;
            }
        }
        Ok(())
    }
}

// === impl Finding ===

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), fix: Vec::new() }
    }

    pub(super) fn advice(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Advice, text: text.into(), fix: Vec::new() }
    }

    pub(super) fn problem(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Problem, text: text.into(), fix: Vec::new() }
    }

    /// Adds a line that puts it right.
    #[must_use]
    pub(super) fn fix(mut self, line: impl Into<String>) -> Self {
        self.fix.push(line.into());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Advice => "advice",
            Level::Problem => "problem",
        };
        writeln!(f, "    {level:<8} {}", self.text)?;
        for line in &self.fix {
            writeln!(f, "             {line}")?;
        }
        Ok(())
    }
}

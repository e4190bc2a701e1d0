//! Where a [`Fault`] is, and how it is shown: file, line, column, key, the line itself, the way out.
//!
//! Finding the line and the key costs something, so it is done only for what is reported. Nothing
//! here fails: a place that cannot be found is left out of the report, never the fault.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;

/// Shown of a line at most, so that a file without line ends does not flood a terminal.
const EXCERPT: usize = 160;

/// A fault at its place.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The file, as it was found: the path given for the main file, and what follows from it.
    pub file: PathBuf,
    /// Where in the file; `None` for the file as a whole.
    pub place: Option<Place>,
    /// The key in full, such as `upstream.targets[0]`, where there is one.
    pub key: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// A place in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// Characters, counted from 1.
    pub column: usize,
    /// Characters that the fault covers on this line, at least 1.
    width: usize,
    /// Characters of the excerpt before it.
    indent: usize,
    excerpt: String,
}

/// Why a configuration cannot be used: everything that is wrong with it, in the order of files
/// and lines.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    problems: Vec<Problem>,
}

/// The text of a file that is being looked at.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

// === impl Problem ===

impl Problem {
    /// About a file as a whole.
    pub(super) fn of_file(file: &Path, fault: Fault) -> Self {
        Self { file: file.to_owned(), place: None, key: None, fault }
    }

    fn order(&self) -> (&Path, usize, usize) {
        let place = self.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
        (&self.file, place.0, place.1)
    }

    /// Shows it as an `error` or a `warning`.
    #[must_use]
    pub fn display(&self, kind: &'static str) -> impl fmt::Display {
        Shown { problem: self, kind }
    }

    /// `FILE:LINE:COLUMN`, or the file alone.
    #[must_use]
    pub fn location(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.file.display(), place.line, place.column),
            None => self.file.display().to_string(),
        }
    }

    /// [`message`](Self::message), with the way out.
    #[must_use]
    pub fn advice(&self) -> String {
        match self.fault.help() {
            Some(help) => format!("{}; {help}", self.message()),
            None => self.message(),
        }
    }

    /// Key and fault in one line, without the place.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.key {
            Some(key) => format!("`{key}`: {}", self.fault),
            None => self.fault.to_string(),
        }
    }
}

struct Shown<'a> {
    problem: &'a Problem,
    kind: &'static str,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, place, fault, .. } = self.problem;
        writeln!(f, "{}: {}", self.kind, self.problem.message())?;
        let gutter = match place {
            None => {
                writeln!(f, " --> {}", file.display())?;
                String::new()
            }
            Some(Place { line, column, width, indent, excerpt }) => {
                let gutter = " ".repeat(line.to_string().len());
                writeln!(f, "{gutter}--> {}:{line}:{column}", file.display())?;
                writeln!(f, "{gutter} |")?;
                writeln!(f, "{line} | {excerpt}")?;
                let blank = " ".repeat(*indent);
                writeln!(f, "{gutter} | {blank}{}", "^".repeat(*width))?;
                gutter
            }
        };
        match fault.help() {
            Some(help) => writeln!(f, "{gutter} = help: {help}"),
            None => Ok(()),
        }
    }
}

// === impl Errors ===

impl Errors {
    /// `None` if there are none.
    pub(super) fn of(problems: Vec<Problem>) -> Option<Self> {
        let problems = sorted(problems);
        (!problems.is_empty()).then_some(Self { problems })
    }

    /// All of them, to keep.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// All of them; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl std::error::Error for Errors {}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{}", problem.display("error"))?;
        }
        match self.problems.len() {
            1 => write!(f, "1 error in the configuration"),
            count => write!(f, "{count} errors in the configuration"),
        }
    }
}

/// In the order of files and lines.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| a.order().cmp(&b.order()));
    problems
}

// === impl Source ===

impl Source<'_> {
    /// A fault of the value at `span`; its key is looked up.
    pub(super) fn problem(&self, span: Range<usize>, fault: Fault) -> Problem {
        let key = self.key_of(&span);
        self.problem_of_key(key, span, fault)
    }

    /// A fault at `span` of a key that is known.
    pub(super) fn problem_of_key(
        &self,
        key: Option<String>,
        span: Range<usize>,
        fault: Fault,
    ) -> Problem {
        let mut place = self.place(span);
        if matches!(fault, Fault::SecretInline) {
            // It would be shown.
            place.excerpt = place.excerpt.chars().take(place.indent).collect();
            place.excerpt.push_str(&"*".repeat(place.width));
        }
        let place = Some(place);
        Problem { file: self.path.to_owned(), place, key, fault }
    }

    /// The line that `span` begins in, counted from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.text.bytes().take(span.start).filter(|&b| b == b'\n').count() + 1
    }

    /// Where `span` is, as `FILE:LINE`.
    pub(super) fn line_of(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.path.display(), self.line(span))
    }

    fn place(&self, span: Range<usize>) -> Place {
        let start = floor(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |end| end + 1);
        let rest = &self.text[line_start..];
        let line = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let end = floor(self.text, span.end).clamp(start, (line_start + line.len()).max(start));
        let column = self.text[line_start..start].chars().count() + 1;
        let width = self.text[start..end].chars().count();
        // Of a long line, what stands before and after the fault.
        let skipped = if column + width > EXCERPT { column.saturating_sub(EXCERPT / 2) } else { 0 };
        let shown = masked(line).chars().skip(skipped).take(EXCERPT).map(printable).collect();
        Place {
            line: self.text[..line_start].bytes().filter(|&b| b == b'\n').count() + 1,
            column,
            width: width.clamp(1, (EXCERPT - (column - skipped).min(EXCERPT)).max(1)),
            indent: column - 1 - skipped.min(column - 1),
            excerpt: shown,
        }
    }

    /// The key whose value is at `span`.
    fn key_of(&self, span: &Range<usize>) -> Option<String> {
        let root = DeTable::parse(self.text).ok()?;
        find_value(root.get_ref(), span)
    }

    /// Where the key at the end of `path` itself is written.
    pub(super) fn span_of_key(&self, path: &[String]) -> Option<Range<usize>> {
        let root = DeTable::parse(self.text).ok()?;
        let (last, tables) = path.split_last()?;
        let mut found = root.into_inner();
        for name in tables {
            let (_, value) = found.into_iter().find(|(key, _)| key.get_ref() == name)?;
            found = match value.into_inner() {
                DeValue::Table(table) => table,
                DeValue::Array(array) => as_table(array),
                _ => return None,
            };
        }
        found.into_iter().find(|(key, _)| key.get_ref() == last).map(|(key, _)| key.span())
    }
}

/// An array as a table with its indices as keys.
fn as_table<'i>(array: impl IntoIterator<Item = Spanned<DeValue<'i>>>) -> DeTable<'i> {
    let mut table = DeTable::new();
    for (index, value) in array.into_iter().enumerate() {
        table.insert(Spanned::new(value.span(), index.to_string().into()), value);
    }
    table
}

fn find_value(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name: &str = key.get_ref();
        find_within(value, span).map(|rest| format!("{name}{rest}"))
    })
}

/// What follows the name of the key whose value this is.
fn find_within(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    if value.span() == *span {
        return Some(String::new());
    }
    match value.get_ref() {
        DeValue::Table(table) => find_value(table, span).map(|rest| format!(".{rest}")),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, item)| {
            find_within(item, span).map(|rest| format!("[{index}]{rest}"))
        }),
        _ => None,
    }
}

/// The last character boundary at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// The line, with what looks like credentials in a URL made unreadable.
fn masked(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for (index, piece) in line.split("//").enumerate() {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/');
        let word = &piece[..piece.find(ends).unwrap_or(piece.len())];
        let secret = if index == 0 { 0 } else { word.rfind('@').unwrap_or(0) };
        shown.push_str(if index == 0 { "" } else { "//" });
        shown.extend(piece[..secret].chars().map(|_| '*'));
        shown.push_str(&piece[secret..]);
    }
    shown
}

/// Keeps a file from steering the terminal.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

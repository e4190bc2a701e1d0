//! Guided tours: `[tours]` of the main file (for all sites at once) and of a site.

use std::path::PathBuf;

use super::checker::Checker;
use super::fault::Fault;
use super::given::{List, Value};
use super::raw;

/// What holds for all sites, whatever they say.
#[derive(Clone, Debug, PartialEq)]
pub struct AllTours {
    /// Whether there are tours at all.
    pub enabled: bool,
    /// Tours that are switched off everywhere, in order.
    pub off: Vec<String>,
    /// Where people find the source code, an https address.
    pub source: Option<String>,
}

/// The tours of a site.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Tours {
    /// Whether pages carry tours.
    pub enabled: bool,
    /// A folder of tours, target packs and words that come before the shipped ones.
    pub folder: Option<PathBuf>,
    /// Whether the shipped tours are there.
    pub shipped: bool,
    /// Tours that are switched off, in order.
    pub off: Vec<String>,
    /// Where it is kept what a person has seen.
    pub progress: Progress,
    /// What is done about Nextcloud's first-run wizard.
    pub wizard: Wizard,
    /// Whether every page has a help button.
    pub help: bool,
    /// Whether what happens to tours is counted.
    pub counters: bool,
    /// One in so many missing targets is reported; 0: none.
    pub report_missing: u32,
}

/// Where it is kept what a person has seen.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Progress {
    /// In the person's own account, as a DAV property.
    Dav,
    /// In the browser.
    Local,
    /// In Passeur's store.
    Store,
}

/// What is done about Nextcloud's first-run wizard.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Wizard {
    /// Nothing: tours do not wait for it.
    Ignore,
    /// It is left out of pages: tours come instead of it.
    Instead,
    /// Tours wait until it was closed.
    Wait,
}

impl Default for AllTours {
    fn default() -> Self {
        Self { enabled: true, off: Vec::new(), source: None }
    }
}

impl Default for Tours {
    fn default() -> Self {
        Self {
            enabled: false,
            folder: None,
            shipped: true,
            off: Vec::new(),
            progress: Progress::Dav,
            wizard: Wizard::Wait,
            help: true,
            counters: true,
            report_missing: 10,
        }
    }
}

impl AllTours {
    pub(super) fn of(raw: raw::AllTours, checker: &mut Checker<'_>) -> Self {
        let mut all = Self::default();
        checker.set(&mut all.enabled, raw.enabled);
        off(&mut all.off, raw.off, checker);
        if let Some((source, span)) = checker.value(raw.source) {
            let is_web = source.strip_prefix("https://").is_some_and(|rest| {
                rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            });
            let is_plain = source.chars().all(|c| c.is_ascii_graphic());
            if !is_web || !is_plain {
                let wanted = "an address that begins with https://";
                checker.error(span, Fault::Choice { given: source.clone(), wanted });
            }
            all.source = Some(source);
        }
        all
    }
}

impl Tours {
    pub(super) fn set(&mut self, raw: raw::Tours, checker: &mut Checker<'_>) {
        checker.set(&mut self.enabled, raw.enabled);
        checker.set(&mut self.shipped, raw.shipped);
        checker.set(&mut self.progress, raw.progress);
        checker.set(&mut self.wizard, raw.wizard);
        checker.set(&mut self.help, raw.help);
        checker.set(&mut self.counters, raw.counters);
        checker.set_amount(&mut self.report_missing, raw.report_missing, 0..=1_000_000);
        off(&mut self.off, raw.off, checker);
        if let Some((folder, span)) = checker.path(raw.folder) {
            if let Some(fault) = checker.world.check_folder(&folder) {
                checker.error(span, fault);
            }
            self.folder = Some(folder);
        }
    }
}

fn off(setting: &mut Vec<String>, given: Option<List<String>>, checker: &mut Checker<'_>) {
    let Some(names) = checker.list(given) else { return };
    for (name, span) in &names {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || !name.bytes().all(is_plain) {
            checker.error(span.clone(), Fault::Tour(name.clone()));
        }
    }
    *setting = names.into_iter().map(|(name, _)| name).collect();
    setting.sort();
    setting.dedup();
}

impl Progress {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Progress::Dav => "dav",
            Progress::Local => "local",
            Progress::Store => "store",
        }
    }
}

impl Wizard {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Wizard::Ignore => "ignore",
            Wizard::Instead => "instead",
            Wizard::Wait => "wait",
        }
    }
}

impl Value for Progress {
    const WANTED: &'static str = "\"dav\", \"store\" or \"local\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        let all = [Progress::Dav, Progress::Local, Progress::Store];
        Some(choice(text, Self::WANTED, all, Progress::as_str))
    }
}

impl Value for Wizard {
    const WANTED: &'static str = "\"wait\", \"instead\" or \"ignore\"";

    fn from_text(text: &str) -> Option<Result<Self, Fault>> {
        Some(choice(
            text,
            Self::WANTED,
            [Wizard::Ignore, Wizard::Instead, Wizard::Wait],
            Wizard::as_str,
        ))
    }
}

fn choice<T: Copy, const N: usize>(
    text: &str,
    wanted: &'static str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, Fault> {
    let found = all.into_iter().find(|&one| name(one) == text);
    found.ok_or_else(|| Fault::Choice { given: text.to_owned(), wanted })
}

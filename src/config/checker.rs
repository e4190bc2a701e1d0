//! Turns what was given in one file into checked values, and collects what is wrong on the way.
//!
//! A wrong value leaves the setting as it was, so that the next one can be looked at: a caller
//! gets a value in any case, and must not use it if there are errors.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checked::SecretSource;
use super::fault::Fault;
use super::given::{Given, List, Secret};
use super::kept::KeptSecret;
use super::problem::{Problem, Source};
use super::secret::PREFIX;
use super::values::{Count, Size, show_duration, show_size};
use super::world::World;

/// A file that is being checked.
pub(super) struct Checker<'a> {
    pub(super) source: Source<'a>,
    pub(super) world: &'a World,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// Something with an amount that has a sensible range.
pub(super) trait Amount {
    fn amount(&self) -> u64;
    fn show(amount: u64) -> String;
}

impl Amount for Count {
    fn amount(&self) -> u64 {
        self.0
    }

    fn show(amount: u64) -> String {
        amount.to_string()
    }
}

impl Amount for Size {
    fn amount(&self) -> u64 {
        self.0
    }

    fn show(amount: u64) -> String {
        show_size(amount)
    }
}

impl Amount for Duration {
    fn amount(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }

    fn show(amount: u64) -> String {
        show_duration(Duration::from_millis(amount))
    }
}

// === impl Checker ===

impl<'a> Checker<'a> {
    pub(super) fn new(source: Source<'a>, world: &'a World) -> Self {
        Self { source, world, errors: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn error(&mut self, span: Range<usize>, fault: Fault) {
        self.errors.push(self.source.problem(span, fault));
    }

    pub(super) fn warn(&mut self, span: Range<usize>, fault: Fault) {
        self.warnings.push(self.source.problem(span, fault));
    }

    /// About the file as a whole.
    pub(super) fn error_of_file(&mut self, fault: Fault) {
        self.errors.push(Problem::of_file(self.source.path, fault));
    }

    /// The value, if one was given that could be read.
    pub(super) fn value<T>(&mut self, given: Option<Given<T>>) -> Option<(T, Range<usize>)> {
        let Given { span, value } = given?;
        match value {
            Ok(value) => Some((value, span)),
            Err(fault) => {
                self.error(span, fault);
                None
            }
        }
    }

    /// The items that could be read, if a list was given.
    pub(super) fn list<T>(&mut self, given: Option<List<T>>) -> Option<Vec<(T, Range<usize>)>> {
        let List { span, items } = given?;
        match items {
            Ok(items) => {
                Some(items.into_iter().filter_map(|item| self.value(Some(item))).collect())
            }
            Err(fault) => {
                self.error(span, fault);
                None
            }
        }
    }

    pub(super) fn set<T>(&mut self, setting: &mut T, given: Option<Given<T>>) {
        if let Some((value, _)) = self.value(given) {
            *setting = value;
        }
    }

    /// Sets a number, if it lies within what makes sense; says where it stands.
    pub(super) fn set_amount<A, N>(
        &mut self,
        setting: &mut N,
        given: Option<Given<A>>,
        sensible: RangeInclusive<u64>,
    ) -> Option<Range<usize>>
    where
        A: Amount,
        N: TryFrom<u64, Error: fmt::Debug>,
    {
        let (value, span) = self.value(given)?;
        let amount = self.within(&value, span.clone(), sensible)?;
        *setting = N::try_from(amount).ok()?;
        Some(span)
    }

    pub(super) fn set_duration(
        &mut self,
        setting: &mut Duration,
        given: Option<Given<Duration>>,
        sensible: RangeInclusive<Duration>,
    ) -> Option<Range<usize>> {
        let mut millis = setting.amount();
        let span = self.set_amount(
            &mut millis,
            given,
            sensible.start().amount()..=sensible.end().amount(),
        );
        *setting = Duration::from_millis(millis);
        span
    }

    /// The amount, unless it is out of range, which is an error.
    pub(super) fn within<A: Amount>(
        &mut self,
        value: &A,
        span: Range<usize>,
        sensible: RangeInclusive<u64>,
    ) -> Option<u64> {
        let amount = value.amount();
        let what = match amount {
            _ if amount < *sensible.start() => format!("less than {}", A::show(*sensible.start())),
            _ if amount > *sensible.end() => format!("more than {}", A::show(*sensible.end())),
            _ => return Some(amount),
        };
        self.error(span, Fault::Range { given: A::show(amount), what });
        None
    }

    /// A path of the file; what is relative is so to the folder of the main file.
    pub(super) fn path(
        &mut self,
        given: Option<Given<PathBuf>>,
    ) -> Option<(PathBuf, Range<usize>)> {
        let (path, span) = self.value(given)?;
        Some((self.world.resolve(&path), span))
    }

    /// Where a secret is; it has to be there.
    pub(super) fn secret(&mut self, given: Option<Secret>) -> Option<SecretSource> {
        let Secret { span, fields } = given?;
        let mut fields = match fields {
            Ok(fields) => fields,
            Err(fault) => {
                self.error(span, fault);
                return None;
            }
        };
        let (Some((key, value)), true) = (fields.pop(), fields.is_empty()) else {
            self.error(span, Fault::SecretPlace);
            return None;
        };
        let (value, _) = self.value(Some(value))?;
        let source = match (key.as_str(), self.world.kept()) {
            ("kept", Some(kept)) => kept.get(&value).map(|secret| {
                SecretSource::Kept(KeptSecret { key: value.clone(), secret: secret.clone() })
            }),
            (kind, None) => self.named_secret(kind, &value),
            (kind, Some(_)) if is_set_apart(kind, &value) => self.named_secret(kind, &value),
            (_, Some(_)) => {
                self.error(span, Fault::SecretForeign);
                return None;
            }
        };
        let Some(source) = source else {
            let kept = key == "kept" && self.world.kept().is_some();
            self.error(span, if kept { Fault::SecretNotKept } else { Fault::SecretPlace });
            return None;
        };
        match self.world.check_secret(&source) {
            Err(fault) => self.error(span, fault),
            Ok(Some(doubt)) => self.warn(span, doubt),
            Ok(None) => {}
        }
        Some(source)
    }

    /// The place of a secret on this machine; `None` if it is none.
    fn named_secret(&self, kind: &str, value: &str) -> Option<SecretSource> {
        let is_plain = !value.contains(['/', '=']) && value != "..";
        match kind {
            "file" => Some(SecretSource::File(self.world.resolve(Path::new(value)))),
            "env" if value.starts_with(PREFIX) && is_plain => {
                Some(SecretSource::Env(value.to_owned()))
            }
            "credential" if is_plain => Some(SecretSource::Credential(value.to_owned())),
            _ => None,
        }
    }
}

/// Whether a site that is in no file may name this secret.
fn is_set_apart(kind: &str, value: &str) -> bool {
    match kind {
        "env" => value.starts_with("PASSEUR_SITE_"),
        "credential" => value.starts_with("site-"),
        _ => false,
    }
}

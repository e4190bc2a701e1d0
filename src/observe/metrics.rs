//! Counters per site and kind of traffic.
//!
//! A site owns its numbers as plain atomics: counting is an addition, never a lookup by label. They
//! are given their names only when somebody asks, by [`encode`], in the text format of Prometheus.
//! The kinds of traffic are few and fixed, so that a farm of 10,000 sites stays countable.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the upstream time buckets, seconds.
const BUCKETS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];
/// Status classes 1xx to 5xx, and 0 for exchanges that never got one.
const CLASSES: usize = 6;

/// The numbers of one site.
#[derive(Debug)]
pub struct Site {
    kinds: Box<[Traffic]>,
    refusals: Named,
    repairs: Named,
    unrewritten: Named,
    tours: Named,
}

/// The numbers of one kind of traffic.
#[derive(Debug, Default)]
struct Traffic {
    requests: [AtomicU64; CLASSES],
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    upstream: Histogram,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// Counters by a short, fixed set of reasons; off the path of ordinary requests.
#[derive(Debug, Default)]
pub struct Named(Mutex<BTreeMap<&'static str, u64>>);

/// One finished exchange.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// Index into the kinds that [`Site::new`] was given.
    pub kind: usize,
    /// The status sent; 0 if none was.
    pub status: u16,
    /// Request body bytes.
    pub bytes_in: u64,
    /// Response body bytes.
    pub bytes_out: u64,
    /// From asking the origin to the head of its answer.
    pub upstream: Option<Duration>,
}

impl Site {
    /// Zeroes for `kinds` kinds of traffic.
    #[must_use]
    pub fn new(kinds: usize) -> Self {
        Self {
            kinds: (0..kinds).map(|_| Traffic::default()).collect(),
            refusals: Named::default(),
            repairs: Named::default(),
            unrewritten: Named::default(),
            tours: Named::default(),
        }
    }

    /// Counts one exchange.
    pub fn count(&self, finished: &Finished) {
        let Some(traffic) = self.kinds.get(finished.kind) else { return };
        let class = usize::from(finished.status / 100).min(CLASSES - 1);
        traffic.requests[class].fetch_add(1, Ordering::Relaxed);
        traffic.bytes_in.fetch_add(finished.bytes_in, Ordering::Relaxed);
        traffic.bytes_out.fetch_add(finished.bytes_out, Ordering::Relaxed);
        if let Some(time) = finished.upstream {
            traffic.upstream.observe(time);
        }
    }

    /// Requests that Passeur itself answered with an error, by reason.
    #[must_use]
    pub fn refusals(&self) -> &Named {
        &self.refusals
    }

    /// What the DAV rules did, by name.
    #[must_use]
    pub fn repairs(&self) -> &Named {
        &self.repairs
    }

    /// Answers that should have been rewritten and passed as they were, or their rest did.
    #[must_use]
    pub fn unrewritten(&self) -> &Named {
        &self.unrewritten
    }

    /// Pages that got a tag for tours, and those that did not, by reason.
    #[must_use]
    pub fn tours(&self) -> &Named {
        &self.tours
    }
}

impl Histogram {
    fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|&bound| seconds <= bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Named {
    /// Adds one to `name`.
    pub fn count(&self, name: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }

    /// The count of `name`.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    /// All counts, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, u64)> {
        let named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.iter().map(|(&name, &count)| (name, count)).collect()
    }
}

/// Writes metrics in the text format of Prometheus, family by family.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// Opens a family; the lines that follow belong to it.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One line; label values are escaped here.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

/// Writes the families that every site has.
pub fn encode<'a>(
    page: &mut Page,
    kinds: &[&str],
    sites: impl Iterator<Item = (&'a str, &'a Site)> + Clone,
) {
    page.family("passeur_requests_total", "counter", "Requests by site, kind and status class.");
    each(kinds, sites.clone(), |site, kind, traffic| {
        for (class, count) in traffic.requests.iter().enumerate() {
            let name = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"][class];
            let labels = [("site", site), ("kind", kind), ("status", name)];
            nonzero(page, "passeur_requests_total", &labels, count);
        }
    });
    page.family("passeur_bytes_total", "counter", "Body bytes by site, kind and direction.");
    each(kinds, sites.clone(), |site, kind, traffic| {
        for (direction, bytes) in [("in", &traffic.bytes_in), ("out", &traffic.bytes_out)] {
            let labels = [("site", site), ("kind", kind), ("direction", direction)];
            nonzero(page, "passeur_bytes_total", &labels, bytes);
        }
    });
    page.family(
        "passeur_upstream_seconds",
        "histogram",
        "Time from asking the origin to the head of its answer.",
    );
    each(kinds, sites.clone(), |site, kind, traffic| histogram(page, site, kind, traffic));
    page.family("passeur_refusals_total", "counter", "Requests that Passeur refused, by reason.");
    named(page, "passeur_refusals_total", "reason", sites.clone(), Site::refusals);
    page.family("passeur_dav_rules_total", "counter", "What the DAV rules did.");
    named(page, "passeur_dav_rules_total", "rule", sites.clone(), Site::repairs);
    let help = "Answers that passed as they were although a rewrite was wanted, by reason.";
    page.family("passeur_unrewritten_total", "counter", help);
    named(page, "passeur_unrewritten_total", "reason", sites.clone(), Site::unrewritten);
    let help = "Navigations that could show tours, by what became of them.";
    page.family("passeur_tours_pages_total", "counter", help);
    named(page, "passeur_tours_pages_total", "outcome", sites, Site::tours);
}

fn each<'a>(
    kinds: &[&str],
    sites: impl Iterator<Item = (&'a str, &'a Site)>,
    mut write: impl FnMut(&str, &str, &Traffic),
) {
    for (name, site) in sites {
        for (kind, traffic) in kinds.iter().zip(&site.kinds) {
            write(name, kind, traffic);
        }
    }
}

fn nonzero(page: &mut Page, name: &str, labels: &[(&str, &str)], count: &AtomicU64) {
    let count = count.load(Ordering::Relaxed);
    if count != 0 {
        page.line(name, labels, count);
    }
}

fn histogram(page: &mut Page, site: &str, kind: &str, traffic: &Traffic) {
    let count = traffic.upstream.count.load(Ordering::Relaxed);
    if count == 0 {
        return;
    }
    let mut below = 0;
    for (bound, bucket) in BUCKETS.iter().zip(&traffic.upstream.buckets) {
        below += bucket.load(Ordering::Relaxed);
        let bound = bound.to_string();
        let labels = [("site", site), ("kind", kind), ("le", bound.as_str())];
        page.line("passeur_upstream_seconds_bucket", &labels, below);
    }
    let labels = [("site", site), ("kind", kind), ("le", "+Inf")];
    page.line("passeur_upstream_seconds_bucket", &labels, count);
    #[expect(clippy::cast_precision_loss, reason = "a sum for people and graphs")]
    let sum = traffic.upstream.micros.load(Ordering::Relaxed) as f64 / 1e6;
    page.line("passeur_upstream_seconds_sum", &labels[..2], sum);
    page.line("passeur_upstream_seconds_count", &labels[..2], count);
}

fn named<'a>(
    page: &mut Page,
    family: &str,
    label: &str,
    sites: impl Iterator<Item = (&'a str, &'a Site)>,
    of: impl Fn(&Site) -> &Named,
) {
    for (site, numbers) in sites {
        for (name, count) in of(numbers).all() {
            page.line(family, &[("site", site), (label, name)], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_what_was_counted_and_nothing_else() {
        let site = Site::new(2);
        site.count(&Finished {
            kind: 1,
            status: 207,
            bytes_in: 3,
            bytes_out: 5,
            upstream: Some(Duration::from_millis(30)),
        });
        site.refusals().count("queue_full");
        let mut page = Page::default();
        encode(&mut page, &["web", "files"], [("a\"b", &site)].into_iter());
        let text = page.finish();
        assert!(
            text.contains(
                "passeur_requests_total{site=\"a\\\"b\",kind=\"files\",status=\"2xx\"} 1\n"
            )
        );
        assert!(text.contains("kind=\"files\",le=\"0.02\"} 0\n"));
        assert!(text.contains("kind=\"files\",le=\"0.05\"} 1\n"));
        assert!(text.contains("reason=\"queue_full\"} 1\n"));
        assert!(!text.contains("kind=\"web\""));
    }
}

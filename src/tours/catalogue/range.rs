//! Ranges of versions, as target packs and conditions have them: `>=30 <34`, `34`, `29 || >=31`.

/// Alternatives, each of which is a list of bounds that all have to hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Range(Vec<Vec<Bound>>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Bound {
    operator: Operator,
    version: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operator {
    Above,
    Below,
    From,
    Prefix,
    UpTo,
}

const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::From),
    ("<=", Operator::UpTo),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Prefix),
];

impl Range {
    /// Reads a range; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bounds = |alternative: &str| {
            let bounds: Option<Vec<_>> = alternative.split_whitespace().map(bound).collect();
            bounds.filter(|bounds| !bounds.is_empty())
        };
        text.split("||").map(bounds).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether a version lies in it; what a version leaves out is 0.
    #[must_use]
    pub fn contains(&self, version: &[u32]) -> bool {
        self.0.iter().any(|bounds| bounds.iter().all(|bound| bound.holds(version)))
    }

    /// Whether any version of a major could lie in it: its first, or a late one.
    #[must_use]
    pub fn touches(&self, major: u32) -> bool {
        (0..=60).any(|minor| self.contains(&[major, minor, 0]) || self.contains(&[major, 0, minor]))
    }
}

impl Bound {
    fn holds(&self, version: &[u32]) -> bool {
        let part = |index: usize| version.get(index).copied().unwrap_or(0);
        let prefix = (0..self.version.len()).map(part);
        match self.operator {
            Operator::Prefix => prefix.eq(self.version.iter().copied()),
            Operator::From => prefix.ge(self.version.iter().copied()),
            Operator::Below => prefix.lt(self.version.iter().copied()),
            // `<=34` is all of 34, and so `>34` nothing of it.
            Operator::UpTo => prefix.le(self.version.iter().copied()),
            Operator::Above => prefix.gt(self.version.iter().copied()),
        }
    }
}

fn bound(text: &str) -> Option<Bound> {
    let (operator, version) = OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
        .unwrap_or((Operator::Prefix, text));
    let numbers: Option<Vec<u32>> = version
        .split('.')
        .map(|part| {
            let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse().ok())?
        })
        .collect();
    numbers.filter(|numbers| numbers.len() <= 4).map(|version| Bound { operator, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_ranges() {
        for (range, inside, outside) in [
            (">=30 <34", &[[30, 0, 0], [33, 9, 9]][..], &[[29, 9, 9], [34, 0, 0]][..]),
            ("34", &[[34, 0, 0], [34, 0, 1]], &[[33, 0, 0], [35, 0, 0]]),
            ("29 || >=31.0.2", &[[29, 1, 0], [31, 0, 2], [32, 0, 0]], &[[30, 0, 0], [31, 0, 1]]),
            ("<=31", &[[31, 5, 0], [1, 0, 0]], &[[32, 0, 0]]),
            (">31", &[[32, 0, 0]], &[[31, 9, 0]]),
            ("=6.5", &[[6, 5, 1]], &[[6, 4, 0]]),
        ] {
            let parsed = Range::parse(range).unwrap();
            assert!(inside.iter().all(|version| parsed.contains(version)), "{range}");
            assert!(!outside.iter().any(|version| parsed.contains(version)), "{range}");
        }
        assert!(Range::parse(">=31.0.2").unwrap().touches(31));
        assert!(!Range::parse("<31").unwrap().touches(31));
        for none in ["", " ", "||", ">", ">=x", "1..2", "30 ||", "-1", "1.2.3.4.5"] {
            assert_eq!(Range::parse(none), None, "{none}");
        }
    }
}

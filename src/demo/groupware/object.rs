//! Reading iCalendar and vCard: as much as the columns of the database need, no more.
//!
//! Lines are unfolded, components nested; what is no calendar object or card is refused. Times
//! with a zone are taken as UTC, and a recurrence that is not plain counting ends "never": both only
//! widen the range in which an object is found.

/// The end of time, as the original has it (2038-01-01).
pub(super) const NEVER: i64 = 2_145_916_800;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What the database keeps of a calendar object beside its text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Event {
    pub(super) component: String,
    pub(super) uid: String,
    pub(super) first: i64,
    pub(super) last: i64,
    /// 0 public, 1 private, 2 confidential.
    pub(super) class: i64,
    /// Name, parameter (`CN`), value.
    pub(super) properties: Vec<(String, Option<String>, String)>,
}

/// What the database keeps of a card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Card {
    pub(super) uid: String,
    pub(super) properties: Vec<(String, String)>,
    pub(super) birthday: Option<String>,
}

/// A line: name, parameters, value.
pub(super) struct Line<'a> {
    pub(super) name: String,
    pub(super) parameters: &'a str,
    pub(super) value: &'a str,
}

impl Line<'_> {
    /// A parameter's value.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.split(';').filter_map(|p| p.split_once('='));
        all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim_matches('"'))
    }
}

/// The text with folded lines made whole; every line ends with a line feed.
pub(super) fn unfold(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")
}

fn lines(unfolded: &str) -> impl Iterator<Item = Line<'_>> {
    unfolded.lines().filter_map(line)
}

/// Reads an unfolded line.
pub(super) fn line(text: &str) -> Option<Line<'_>> {
    // The colon that ends the name is the first one outside quotes.
    let mut quoted = false;
    let colon = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ':' && !quoted
    })?;
    let (head, value) = (text.get(..colon.0)?, text.get(colon.0 + 1..)?);
    let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
    // Cards may group: `item1.EMAIL`.
    let name = name.rsplit('.').next().unwrap_or(name).to_ascii_uppercase();
    Some(Line { name, parameters, value })
}

const EVENT_PROPERTIES: [&str; 9] = [
    "CATEGORIES",
    "COMMENT",
    "DESCRIPTION",
    "LOCATION",
    "RESOURCES",
    "STATUS",
    "SUMMARY",
    "ATTENDEE",
    "CONTACT",
];

/// Reads a calendar object.
pub(super) fn event(bytes: &[u8]) -> Option<Event> {
    let text = unfold(std::str::from_utf8(bytes).ok()?);
    let mut open: Vec<String> = Vec::new();
    let mut event = Event {
        component: String::new(),
        uid: String::new(),
        first: 0,
        last: 0,
        class: 0,
        properties: Vec::new(),
    };
    let (mut start, mut end, mut rule) = (None, None, None);
    for line in lines(&text) {
        match line.name.as_str() {
            "BEGIN" => {
                let name = line.value.to_ascii_uppercase();
                if open.len() == 1 && name != "VTIMEZONE" && event.component.is_empty() {
                    event.component.clone_from(&name);
                }
                open.push(name);
                if open.len() > 16 || open[0] != "VCALENDAR" {
                    return None;
                }
            }
            "END" if open.pop()? != line.value.to_ascii_uppercase() => return None,
            "END" => {}
            _ if open.len() != 2 || open.last() != Some(&event.component) => {}
            "UID" if event.uid.is_empty() => line.value.clone_into(&mut event.uid),
            "DTSTART" if start.is_none() => start = time(line.value),
            "DTEND" | "DUE" if end.is_none() => end = time(line.value),
            "RRULE" if rule.is_none() => rule = Some(line.value.to_owned()),
            "CLASS" => {
                event.class = match line.value {
                    "PRIVATE" => 1,
                    "CONFIDENTIAL" => 2,
                    _ => 0,
                };
            }
            "ORGANIZER" => push(&mut event.properties, &line),
            name if EVENT_PROPERTIES.contains(&name) => push(&mut event.properties, &line),
            _ => {}
        }
    }
    event.first = start.unwrap_or(0);
    let end = end.unwrap_or(event.first);
    event.last = rule.map_or(end, |rule| last_of(event.first, end, &rule));
    (open.is_empty() && !event.component.is_empty() && !event.uid.is_empty()).then_some(event)
}

fn push(into: &mut Vec<(String, Option<String>, String)>, line: &Line<'_>) {
    let value: String = line.value.chars().take(255).collect();
    into.push((line.name.clone(), None, value));
    if let Some(name) = line.parameter("CN") {
        into.push((line.name.clone(), Some("CN".to_owned()), name.chars().take(255).collect()));
    }
}

/// When the last occurrence ends.
fn last_of(first: i64, end: i64, rule: &str) -> i64 {
    let part = |name: &str| {
        rule.split(';').filter_map(|p| p.split_once('=')).find(|(k, _)| *k == name).map(|(_, v)| v)
    };
    if let Some(until) = part("UNTIL").and_then(time) {
        return until.saturating_add(end - first);
    }
    let number = |name| part(name).and_then(|text| text.parse::<i64>().ok());
    let period = match part("FREQ") {
        Some("DAILY") => DAY,
        Some("WEEKLY") => 7 * DAY,
        _ => return NEVER,
    };
    match number("COUNT") {
        Some(count) if !rule.contains("BY") => {
            let steps = count.saturating_sub(1).saturating_mul(number("INTERVAL").unwrap_or(1));
            end.saturating_add(steps.saturating_mul(period)).min(NEVER)
        }
        _ => NEVER,
    }
}

/// `20270105T100000Z`, `20270105T100000`, `20270105` as seconds since 1970.
pub(super) fn time(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let digits = text.get(..8)?.bytes().all(|b| b.is_ascii_digit());
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    if !digits || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let clock = match text.get(8..9) {
        Some("T") => number(9..11)? * HOUR + number(11..13)? * 60 + number(13..15)?,
        _ => 0,
    };
    Some(days(year, month, day) * DAY + clock)
}

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

const CARD_PROPERTIES: [&str; 18] = [
    "ADR",
    "BDAY",
    "CATEGORIES",
    "CLOUD",
    "EMAIL",
    "FN",
    "GEO",
    "IMPP",
    "N",
    "NICKNAME",
    "NOTE",
    "ORG",
    "ROLE",
    "TEL",
    "TITLE",
    "UID",
    "URL",
    "X-SOCIALPROFILE",
];

/// Reads a card.
pub(super) fn card(bytes: &[u8]) -> Option<Card> {
    let text = unfold(std::str::from_utf8(bytes).ok()?);
    let trimmed = text.trim();
    let whole = trimmed.get(..11)?.eq_ignore_ascii_case("BEGIN:VCARD")
        && trimmed.to_ascii_uppercase().ends_with("END:VCARD");
    let mut card = Card { uid: String::new(), properties: Vec::new(), birthday: None };
    for line in lines(&text) {
        match line.name.as_str() {
            "UID" => line.value.clone_into(&mut card.uid),
            "BDAY" => card.birthday = Some(line.value.to_owned()),
            _ => {}
        }
        if CARD_PROPERTIES.contains(&line.name.as_str()) {
            card.properties.push((line.name.clone(), line.value.chars().take(255).collect()));
        }
    }
    whole.then_some(card)
}

/// The birthday of a card as an event, if it has one.
pub(super) fn birthday(card: &Card) -> Option<String> {
    let date: String = card.birthday.as_deref()?.chars().filter(char::is_ascii_digit).collect();
    let date = date.get(..8)?;
    let start = time(date)?;
    let name = card.properties.iter().find(|(name, _)| name == "FN").map(|(_, value)| value)?;
    let year = date.get(..4)?;
    let next = civil(start / DAY + 1);
    let summary = format!("🎂 {name} ({year})");
    Some(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "CALSCALE:GREGORIAN",
            "PRODID:-//Passeur//Birthday calendar//EN",
            "BEGIN:VEVENT",
            "DTSTAMP:20260101T000000Z",
            &format!("DTSTART;VALUE=DATE:{date}"),
            &format!("DTEND;VALUE=DATE:{next}"),
            &format!("UID:{}", card.uid),
            "RRULE:FREQ=YEARLY",
            &format!("SUMMARY:{summary}"),
            "TRANSP:TRANSPARENT",
            "X-NEXTCLOUD-BC-FIELD-TYPE:BDAY",
            "X-NEXTCLOUD-BC-UNKNOWN-YEAR:0",
            &format!("X-NEXTCLOUD-BC-YEAR:{year}"),
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        .join("\r\n"),
    )
}

/// The date, as eight digits, of a day since 1970.
fn civil(day: i64) -> String {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{date:02}")
}

/// A confidential event as whoever it is shared with sees it: when, but not what.
pub(super) fn masked(text: &str) -> String {
    const KEPT: [&str; 15] = [
        "BEGIN",
        "END",
        "VERSION",
        "PRODID",
        "CREATED",
        "DTSTART",
        "RRULE",
        "RECURRENCE-ID",
        "RDATE",
        "DURATION",
        "DTEND",
        "CLASS",
        "EXRULE",
        "EXDATE",
        "UID",
    ];
    let mut out = String::new();
    let mut alarm = false;
    for raw in unfold(text).lines() {
        let Some(line) = line(raw) else { continue };
        alarm |= raw == "BEGIN:VALARM";
        if !alarm && KEPT.contains(&line.name.as_str()) {
            out.push_str(raw);
            out.push_str("\r\n");
            if line.name == "CLASS" {
                out.push_str("SUMMARY:Busy\r\n");
            }
        }
        alarm &= raw != "END:VALARM";
    }
    out
}

/// The components of a calendar object without what holds them, for an export.
pub(super) fn inner(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0;
    for line in text.replace("\r\n", "\n").lines() {
        if line.starts_with("END:") {
            depth -= 1;
        }
        if depth >= 1 && !(depth == 1 && !line.starts_with("BEGIN:") && !line.starts_with("END:")) {
            out.push_str(line);
            out.push_str("\r\n");
        }
        if line.starts_with("BEGIN:") {
            depth += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(extra: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:ev\r\n 0\r\nDTSTART:20270105T100000Z\r\n\
             DTEND:20270105T110000Z\r\n{extra}SUMMARY:Réunion\r\nATTENDEE;CN=\"B: b\":mailto:b@example.org\r\n\
             BEGIN:VALARM\r\nSUMMARY:no\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    #[test]
    fn columns_are_those_of_the_recordings() {
        let event = event(weekly("RRULE:FREQ=WEEKLY;COUNT=10\r\n").as_bytes()).unwrap();
        assert_eq!((event.first, event.last), (1_799_143_200, 1_804_590_000));
        assert_eq!((event.uid.as_str(), event.component.as_str()), ("ev0", "VEVENT"));
        assert!(event.properties.contains(&("ATTENDEE".into(), Some("CN".into()), "B: b".into())));
        assert_eq!(event.properties.iter().filter(|(n, ..)| n == "SUMMARY").count(), 1);
    }

    #[test]
    fn a_birthday_is_a_yearly_event() {
        let text = "BEGIN:VCARD\r\nUID:m\r\nFN:É\r\nBDAY:1990-12-31\r\nEND:VCARD\r\n";
        let text = birthday(&card(text.as_bytes()).unwrap()).unwrap();
        assert!(text.contains("DTEND;VALUE=DATE:19910101"), "{text}");
        let event = event(text.as_bytes()).unwrap();
        assert_eq!((event.first, event.last), (time("19901231").unwrap(), NEVER));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in [
            "",
            "BEGIN:VCALENDAR",
            "BEGIN:VCALENDAR\nEND:VCALENDAR",
            "BEGIN:VEVENT\nUID:x\nEND:VEVENT",
        ] {
            assert_eq!(event(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(card(b"hello"), None);
        assert_eq!(card("é".repeat(20).as_bytes()), None);
        for bad in ["", "2027", "20271305", "2027é105"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn days_and_dates_agree() {
        for day in (-800_000..800_000).step_by(97) {
            let text = civil(day);
            if text.len() == 8 && !text.starts_with('-') {
                assert_eq!(time(&text), Some(day * DAY), "{text}");
            }
        }
    }
}

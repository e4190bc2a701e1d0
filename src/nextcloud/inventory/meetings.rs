//! Meetings to come: those an account invited others to, who have to be told by people, as no
//! machine tells them, when their organiser leaves.

use serde::Serialize;

use crate::dav::client::{Client, Depth, Error, Path};
use crate::nextcloud::acting;
use crate::nextcloud::properties as p;

/// A meeting to come.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Meeting {
    /// The object.
    pub path: Path,
    /// What it is called.
    pub summary: String,
    /// When it begins (or began, if it recurs), as iCalendar has it.
    pub start: String,
    /// Whether it recurs.
    pub recurs: bool,
    /// The address of who invites: `mailto:alice@example.org`.
    pub organizer: String,
    /// The addresses of who is invited, without the organiser.
    pub guests: Vec<String>,
}

/// The addresses at which an account is invited, and by which it invites.
///
/// # Errors
/// As [`Error`] says.
pub async fn addresses(client: &Client, uid: &str) -> Result<Vec<String>, Error> {
    let entry = client.find(&acting::principal(uid)?, &[p::USER_ADDRESSES]).await?;
    let hrefs = entry.as_ref().and_then(|entry| entry.get(&p::USER_ADDRESSES));
    let hrefs = hrefs.into_iter().flat_map(|set| set.children("DAV:", "href"));
    Ok(hrefs.map(|href| href.text.trim().to_owned()).collect())
}

/// The meetings in a calendar that end after `now` (seconds since 1970), have guests, and are
/// organised by one of `addresses`. At most `limit` of them, and whether there are more.
///
/// # Errors
/// As [`Error`] says.
pub async fn future_meetings(
    client: &Client,
    calendar: &Path,
    addresses: &[String],
    now: i64,
    limit: usize,
) -> Result<(Vec<Meeting>, bool), Error> {
    let from =
        time::OffsetDateTime::from_unix_timestamp(now).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (from.date(), from.time());
    let from = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    );
    let query = format!(
        "<c:calendar-query xmlns:c=\"{}\" xmlns:d=\"DAV:\"><d:prop><c:calendar-data/></d:prop>\
         <c:filter><c:comp-filter name=\"VCALENDAR\"><c:comp-filter name=\"VEVENT\">\
         <c:time-range start=\"{from}\"/></c:comp-filter></c:comp-filter></c:filter>\
         </c:calendar-query>",
        p::CALDAV
    );
    let mut entries = client.report(calendar, Depth::One, query).await?;
    let mut meetings = Vec::new();
    while let Some(entry) = entries.next().await? {
        let Some(data) = entry.text(&p::CALENDAR_DATA) else { continue };
        let Some(meeting) = read(data, entry.path.clone()) else { continue };
        let is = |address: &String| address.eq_ignore_ascii_case(&meeting.organizer);
        if meeting.guests.is_empty() || !addresses.iter().any(is) {
            continue;
        }
        if meetings.len() == limit {
            return Ok((meetings, true));
        }
        meetings.push(meeting);
    }
    Ok((meetings, false))
}

/// An object in which each event that one of `addresses` organises has another organiser, and the
/// next sequence number (RFC 5546, 2.1.4); none if there is no such event. All else stays as it is.
#[must_use]
pub fn rehomed(data: &str, addresses: &[String], organizer: &str, name: &str) -> Option<String> {
    let is = |address: &str| addresses.iter().any(|one| one.eq_ignore_ascii_case(address));
    // A quoted parameter holds no quote and no line end (RFC 5545, 3.2).
    let name: String = name.chars().filter(|c| *c != '"' && !c.is_control()).collect();
    let line = format!("ORGANIZER;CN=\"{name}\":{organizer}");
    let lines: Vec<String> = unfold(data.trim_end()).collect();
    let mut made: Vec<String> = Vec::with_capacity(lines.len() + 1);
    let mut changed = false;
    let mut from = 0;
    let mut inside: Vec<String> = Vec::new();
    for (at, one) in lines.iter().enumerate() {
        let Some((key, value)) = property(one) else { continue };
        match key.as_str() {
            "BEGIN" => inside.push(value.to_ascii_uppercase()),
            "END" if inside.pop().as_deref() == Some("VEVENT") => {
                changed |= event(&lines[from..at], &mut made, &line, is);
                from = at;
            }
            _ => {}
        }
        if key == "BEGIN" && inside.last().is_some_and(|component| component == "VEVENT") {
            made.extend_from_slice(&lines[from..=at]);
            from = at + 1;
        }
    }
    made.extend_from_slice(&lines[from..]);
    changed.then(|| made.iter().map(|line| fold(line)).collect())
}

/// Adds an event; says whether it has a new organiser.
fn event(
    lines: &[String],
    made: &mut Vec<String>,
    organizer: &str,
    is: impl Fn(&str) -> bool,
) -> bool {
    let own =
        |line: &String| property(line).is_some_and(|(key, value)| key == "ORGANIZER" && is(value));
    if !lines.iter().any(own) {
        made.extend_from_slice(lines);
        return false;
    }
    let mut sequence = 0_u64;
    for line in lines {
        match property(line) {
            Some((key, value)) if key == "SEQUENCE" => sequence = value.trim().parse().unwrap_or(0),
            _ if own(line) => made.push(organizer.to_owned()),
            _ => made.push(line.clone()),
        }
    }
    made.push(format!("SEQUENCE:{}", sequence.saturating_add(1)));
    true
}

/// A line with its end, folded after at most 75 bytes (RFC 5545, 3.1).
fn fold(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 2);
    let mut used = 0;
    for letter in line.chars() {
        if used + letter.len_utf8() > 74 {
            folded.push_str("\r\n ");
            used = 1;
        }
        folded.push(letter);
        used += letter.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}

/// What the first event of an object says; the others are exceptions to it.
fn read(data: &str, path: Path) -> Option<Meeting> {
    let mut meeting = Meeting {
        path,
        summary: String::new(),
        start: String::new(),
        recurs: false,
        organizer: String::new(),
        guests: Vec::new(),
    };
    // Alarms and time zones within have properties of the same names.
    let mut inside: Vec<String> = Vec::new();
    for line in unfold(data) {
        let Some((name, value)) = property(&line) else { continue };
        match name.as_str() {
            "BEGIN" => inside.push(value.to_ascii_uppercase()),
            "END" if inside.pop().as_deref() == Some("VEVENT") => break,
            "END" => {}
            _ if inside.last().is_none_or(|component| component != "VEVENT") => {}
            "SUMMARY" => meeting.summary = unescape(value),
            "DTSTART" => value.clone_into(&mut meeting.start),
            "RRULE" | "RDATE" => meeting.recurs = true,
            "ORGANIZER" => value.clone_into(&mut meeting.organizer),
            "ATTENDEE" => meeting.guests.push(value.to_owned()),
            _ => {}
        }
    }
    let Meeting { organizer, guests, .. } = &mut meeting;
    guests.retain(|guest| !guest.eq_ignore_ascii_case(organizer));
    (!meeting.organizer.is_empty()).then_some(meeting)
}

/// Lines, those joined that were folded (RFC 5545, 3.1).
fn unfold(data: &str) -> impl Iterator<Item = String> {
    let mut lines = data.split('\n').map(|line| line.trim_end_matches('\r')).peekable();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            line.push_str(&more[1..]);
        }
        Some(line)
    })
}

/// Name, in upper case, and value of a line; parameters may hold a quoted colon.
fn property(line: &str) -> Option<(String, &str)> {
    let mut quoted = false;
    let colon = line.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    })?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let name = name.split(';').next().unwrap_or_default();
    Some((name.to_ascii_uppercase(), value))
}

fn unescape(value: &str) -> String {
    value.replace("\\n", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_is_read() {
        let data = "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nBEGIN:STANDARD\r\nDTSTART:19701025T0\r\n\
                    END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Board\\, \r\n \
                    monthly\r\nDTSTART;TZID=Europe/Paris:20270105T100000\r\nRRULE:FREQ=MONTHLY\r\n\
                    ORGANIZER;CN=\"A: lice\":mailto:alice@example.org\r\n\
                    ATTENDEE;PARTSTAT=ACCEPTED:MAILTO:alice@example.org\r\n\
                    ATTENDEE:mailto:bob@example.org\r\nBEGIN:VALARM\r\nSUMMARY:x\r\nEND:VALARM\r\n\
                    END:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:exception\r\nEND:VEVENT\r\n\
                    END:VCALENDAR\r\n";
        let meeting = read(data, Path::root()).expect("a meeting");
        assert_eq!(meeting.summary, "Board, monthly");
        assert_eq!(meeting.start, "20270105T100000");
        assert_eq!(meeting.organizer, "mailto:alice@example.org");
        assert_eq!(meeting.guests, ["mailto:bob@example.org"]);
        assert!(meeting.recurs);
        assert_eq!(read("BEGIN:VEVENT\nSUMMARY:alone\nEND:VEVENT", Path::root()), None);
    }

    #[test]
    fn a_new_organiser_is_written() {
        let data = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSEQUENCE:4\r\nSUMMARY:a\r\n b\r\n\
                    ORGANIZER;CN=Alice:MAILTO:alice@example.org\r\nATTENDEE:mailto:c@example.org\r\n\
                    BEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\nEND:VEVENT\r\n\
                    BEGIN:VEVENT\r\nUID:2\r\nORGANIZER:mailto:x@example.org\r\nEND:VEVENT\r\n\
                    END:VCALENDAR\r\n";
        let own = ["mailto:alice@example.org".to_owned()];
        let new = rehomed(data, &own, "mailto:bob@example.org", "B\"ob").expect("another");
        assert_eq!(
            new,
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:ab\r\n\
             ORGANIZER;CN=\"Bob\":mailto:bob@example.org\r\nATTENDEE:mailto:c@example.org\r\n\
             BEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\nSEQUENCE:5\r\nEND:VEVENT\r\n\
             BEGIN:VEVENT\r\nUID:2\r\nORGANIZER:mailto:x@example.org\r\nEND:VEVENT\r\n\
             END:VCALENDAR\r\n"
        );
        assert_eq!(rehomed(&new, &own, "mailto:bob@example.org", "Bob"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_object_makes_it_panic(data in ".{0,200}") {
            let _ = read(&data, Path::root());
            let _ = rehomed(&data, &[], "mailto:a@example.org", &data);
            let _ = read(&format!("BEGIN:VEVENT\n{data}\n {data}"), Path::root());
        }
    }
}

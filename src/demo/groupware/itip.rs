//! What a change of an event means for the others who take part: the messages of iTIP (RFC 5546) that
//! the organiser's or a guest's copy calls for. Reading and comparing only; nothing is sent here.
//!
//! The rules are those of Nextcloud 34's broker: the organiser's change is a REQUEST to every guest,
//! whoever was taken out gets a CANCEL, so does everybody when the event ends; a guest's new answer
//! is a REPLY to the organiser. Text that cannot be read calls for nothing.

use super::object::{self, Line};

/// A message to one person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Message {
    pub(super) method: &'static str,
    /// Addresses, as `mailto:…`.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) uid: String,
    pub(super) summary: String,
    /// Which state of the event it speaks of.
    pub(super) sequence: i64,
    /// The components, as they go into the calendar of whoever gets them.
    pub(super) components: Vec<Component>,
    /// Whether a mail would tell something new.
    pub(super) news: bool,
}

/// An event, or one occurrence of it that differs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Component {
    /// Unfolded lines between BEGIN and END.
    pub(super) lines: Vec<String>,
}

/// An event with all its occurrences.
#[derive(Clone, Debug, Default)]
struct Event {
    components: Vec<Component>,
    organizer: Option<String>,
}

impl Component {
    fn all(&self, name: &'static str) -> impl Iterator<Item = Line<'_>> {
        self.lines
            .iter()
            .filter_map(|line| object::line(line))
            .filter(move |line| line.name == name)
    }

    fn value(&self, name: &'static str) -> Option<&str> {
        self.all(name).next().map(|line| line.value)
    }

    /// Which occurrence.
    fn id(&self) -> &str {
        self.value("RECURRENCE-ID").unwrap_or("master")
    }

    fn guest(&self, address: &str) -> Option<Line<'_>> {
        self.all("ATTENDEE").find(|line| normal(line.value) == address)
    }

    /// What tells a mail's reader that something is new.
    fn stamp(&self) -> [Option<&str>; 4] {
        // A first state is like none.
        let told = |value: &&str| *value != "0";
        ["RECURRENCE-ID", "RRULE", "SEQUENCE", "LAST-MODIFIED"]
            .map(|name| self.value(name).filter(told))
    }
}

impl Event {
    fn read(text: &str) -> Self {
        let unfolded = object::unfold(text);
        let mut event = Self::default();
        let mut depth = 0_u32;
        let mut current: Option<Component> = None;
        for raw in unfolded.lines() {
            let upper = raw.to_ascii_uppercase();
            if upper.starts_with("BEGIN:") {
                depth += 1;
                if depth == 2 && upper == "BEGIN:VEVENT" {
                    current = Some(Component::default());
                    continue;
                }
            }
            if upper.starts_with("END:") {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    event.components.extend(current.take());
                    continue;
                }
            }
            if let Some(current) = &mut current {
                current.lines.push(raw.to_owned());
            }
        }
        let organizer = event.components.iter().find_map(|one| one.value("ORGANIZER"));
        event.organizer = organizer.map(normal);
        event
    }

    /// The addresses of all guests, each once.
    fn guests(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for line in self.components.iter().flat_map(|one| one.all("ATTENDEE")) {
            let address = normal(line.value);
            // Whoever's own program sends the messages is not our concern.
            let own =
                line.parameter("SCHEDULE-AGENT").is_some_and(|a| a.eq_ignore_ascii_case("CLIENT"));
            if !own && !found.contains(&address) {
                found.push(address);
            }
        }
        found
    }

    fn with(&self, guest: &str) -> Vec<Component> {
        self.components.iter().filter(|one| one.guest(guest).is_some()).cloned().collect()
    }

    fn cancelled(&self) -> bool {
        let master = self.components.iter().find(|one| one.id() == "master");
        master.and_then(|one| one.value("STATUS")) == Some("CANCELLED")
    }

    fn answer(&self, guest: &str, id: &str) -> Option<String> {
        let one = self.components.iter().find(|one| one.id() == id)?;
        let line = one.guest(guest)?;
        Some(line.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase())
    }

    fn sequence(&self) -> Option<i64> {
        self.components.iter().find_map(|one| one.value("SEQUENCE"))?.parse().ok()
    }

    fn text(&self, name: &'static str) -> String {
        self.components.iter().find_map(|one| one.value(name)).unwrap_or_default().to_owned()
    }
}

/// An address as it is compared.
pub(super) fn normal(address: &str) -> String {
    let lower = address.trim().to_ascii_lowercase();
    if lower.starts_with("mailto:") { lower } else { address.trim().to_owned() }
}

/// The messages for a change from `old` to `new` (none: it was deleted) in the calendar of somebody
/// with those addresses.
pub(super) fn messages(old: Option<&str>, new: Option<&str>, mine: &[String]) -> Vec<Message> {
    let (before, after) = (old.map(Event::read), new.map(Event::read));
    let Some(now) = after.as_ref().or(before.as_ref()) else { return Vec::new() };
    let earlier = before.as_ref().and_then(|before| before.organizer.as_ref());
    let Some(organizer) = now.organizer.as_ref().or(earlier) else { return Vec::new() };
    if mine.contains(organizer) {
        let none = Event::default();
        return from_organizer(organizer, before.as_ref().unwrap_or(&none), after.as_ref());
    }
    let guest = now.guests().into_iter().find(|guest| mine.contains(guest));
    guest.map_or(Vec::new(), |me| from_guest(&me, organizer, before.as_ref(), after.as_ref()))
}

fn from_organizer(organizer: &str, before: &Event, after: Option<&Event>) -> Vec<Message> {
    let gone = after.is_none_or(|after| after.organizer.is_none());
    let source = after.filter(|_| !gone).unwrap_or(before);
    let ends = gone || source.cancelled() && !before.cancelled();
    let mut guests = source.guests();
    guests.extend(before.guests().into_iter().filter(|guest| !source.guests().contains(guest)));
    let sequence = match after {
        Some(_) => source.sequence().unwrap_or(1),
        None => source.sequence().unwrap_or(0) + 1,
    };
    let mut messages = Vec::new();
    for guest in guests.into_iter().filter(|guest| guest != organizer) {
        let now = source.with(&guest);
        let (method, components) = match (ends, now.is_empty()) {
            (true, _) => ("CANCEL", if now.is_empty() { before.with(&guest) } else { now }),
            (false, true) => ("CANCEL", before.with(&guest)),
            (false, false) => ("REQUEST", now),
        };
        // A deleted event has nothing to be compared with.
        let known = |one: &Component| {
            after.is_some() && before.components.iter().any(|old| old.stamp() == one.stamp())
        };
        let news = components.iter().any(|one| !known(one));
        messages.push(Message {
            method,
            from: organizer.to_owned(),
            to: guest,
            uid: source.text("UID"),
            summary: source.text("SUMMARY"),
            sequence,
            components: components.iter().map(complete).collect(),
            news,
        });
    }
    messages
}

fn from_guest(
    me: &str,
    organizer: &str,
    before: Option<&Event>,
    after: Option<&Event>,
) -> Vec<Message> {
    let Some(source) = after.or(before) else { return Vec::new() };
    if source.cancelled() {
        return Vec::new();
    }
    let mut components = Vec::new();
    for one in source.with(me) {
        let id = one.id().to_owned();
        let was = before.and_then(|before| before.answer(me, &id));
        let is = match after {
            Some(after) => after.answer(me, &id),
            None if id == "master" => Some("DECLINED".to_owned()),
            None => None,
        };
        let silent = was.is_none() && is.as_deref() == Some("NEEDS-ACTION");
        if let Some(is) = is.filter(|is| was.as_ref() != Some(is) && !silent) {
            components.push(reply(&one, me, &is));
        }
    }
    if components.is_empty() {
        return Vec::new();
    }
    let known = |one: &Component| {
        after.is_some()
            && before.is_some_and(|old| old.components.iter().any(|old| old.stamp() == one.stamp()))
    };
    let news = components.iter().any(|one| !known(one));
    vec![Message {
        method: "REPLY",
        from: me.to_owned(),
        to: organizer.to_owned(),
        uid: source.text("UID"),
        summary: source.text("SUMMARY"),
        sequence: source.sequence().unwrap_or(0),
        components,
        news,
    }]
}

/// A component as it is sent: every guest has an answer, and there is a sequence.
fn complete(one: &Component) -> Component {
    let mut lines: Vec<String> = Vec::with_capacity(one.lines.len() + 1);
    for raw in &one.lines {
        let changed = object::line(raw).filter(|line| line.name == "ATTENDEE").map(|line| {
            let answer = line.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION").to_owned();
            let bare = without_parameter(&line, "SCHEDULE-STATUS");
            object::line(&bare)
                .map_or(bare.clone(), |line| with_parameter(&line, "PARTSTAT", &answer))
        });
        lines.push(changed.unwrap_or_else(|| raw.clone()));
    }
    if one.value("SEQUENCE").is_none() {
        lines.push("SEQUENCE:0".to_owned());
    }
    Component { lines }
}

/// A guest's answer, with what identifies the occurrence.
fn reply(one: &Component, me: &str, answer: &str) -> Component {
    let keep = [
        "UID",
        "SEQUENCE",
        "DTSTART",
        "DTEND",
        "DURATION",
        "SUMMARY",
        "RECURRENCE-ID",
        "ORGANIZER",
    ];
    let kept = one
        .lines
        .iter()
        .filter(|raw| object::line(raw).is_some_and(|line| keep.contains(&line.name.as_str())));
    let mut lines: Vec<String> = kept.cloned().collect();
    if one.value("SEQUENCE").is_none() {
        lines.push("SEQUENCE:0".to_owned());
    }
    lines.push(format!("ATTENDEE;PARTSTAT={answer}:{me}"));
    Component { lines }
}

/// The event with what became of the messages written at the addresses.
pub(super) fn with_statuses(text: &str, statuses: &[(String, &'static str)]) -> String {
    rewrite(text, |line| {
        let name = line.name.as_str();
        let address = normal(line.value);
        let (_, status) = statuses.iter().find(|(to, _)| *to == address)?;
        matches!(name, "ATTENDEE" | "ORGANIZER")
            .then(|| with_parameter(line, "SCHEDULE-STATUS", status))
    })
}

/// The organiser's copy with a guest's answer.
pub(super) fn with_answer(text: &str, answer: &Message) -> Option<String> {
    let line = answer.components.first()?.guest(&answer.from)?;
    let answer_is = line.parameter("PARTSTAT")?.to_owned();
    Some(rewrite(text, |line| {
        let mine = line.name == "ATTENDEE" && normal(line.value) == answer.from;
        mine.then(|| {
            let answered = with_parameter(line, "PARTSTAT", &answer_is);
            object::line(&answered)
                .map_or(answered.clone(), |line| with_parameter(&line, "SCHEDULE-STATUS", "2.0"))
        })
    }))
}

/// A guest's copy of an event that is off.
pub(super) fn cancelled(text: &str, sequence: i64) -> String {
    let mut out = String::new();
    for line in object::unfold(text).lines() {
        if line.starts_with("STATUS:") || line.starts_with("SEQUENCE:") {
            continue;
        }
        if line == "END:VEVENT" {
            push(&mut out, &format!("SEQUENCE:{sequence}"));
            push(&mut out, "STATUS:CANCELLED");
        }
        push(&mut out, line);
    }
    out
}

/// A guest's copy of an event they are invited to.
pub(super) fn invitation(message: &Message) -> String {
    let mut out = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Passeur//Stand-in//EN"] {
        push(&mut out, line);
    }
    for one in &message.components {
        push(&mut out, "BEGIN:VEVENT");
        let mut alarm = false;
        for line in &one.lines {
            alarm |= line == "BEGIN:VALARM";
            if !alarm {
                push(&mut out, line);
            }
            alarm &= line != "END:VALARM";
        }
        push(&mut out, "END:VEVENT");
    }
    push(&mut out, "END:VCALENDAR");
    out
}

fn rewrite(text: &str, change: impl Fn(&Line<'_>) -> Option<String>) -> String {
    let mut out = String::new();
    for raw in object::unfold(text).lines() {
        let changed = object::line(raw).and_then(|line| change(&line));
        push(&mut out, changed.as_deref().unwrap_or(raw));
    }
    out
}

fn without_parameter(line: &Line<'_>, name: &str) -> String {
    let parameters: String = others(line, name).map(|one| format!(";{one}")).collect();
    format!("{}{parameters}:{}", line.name, line.value)
}

fn with_parameter(line: &Line<'_>, name: &str, value: &str) -> String {
    let parameters: String = others(line, name).map(|one| format!(";{one}")).collect();
    format!("{}{parameters};{name}={value}:{}", line.name, line.value)
}

/// The parameters but one.
fn others<'a>(line: &Line<'a>, name: &'a str) -> impl Iterator<Item = &'a str> {
    line.parameters.split(';').filter(move |parameter| {
        let key = parameter.split('=').next().unwrap_or_default();
        !parameter.is_empty() && !key.eq_ignore_ascii_case(name)
    })
}

/// Appends a line, folded at 75 bytes.
fn push(out: &mut String, line: &str) {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(c);
        width += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(extra: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\nSUMMARY:Réunion\r\n\
             DTSTART:20300101T100000Z\r\nORGANIZER:mailto:Alice@example.org\r\n{extra}END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    const BOB: &str = "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.org\r\n";
    const EVE: &str = "ATTENDEE:mailto:eve@example.org\r\n";

    fn alice() -> Vec<String> {
        vec!["mailto:alice@example.org".to_owned()]
    }

    fn brief(messages: &[Message]) -> Vec<(&'static str, &str, bool)> {
        messages.iter().map(|m| (m.method, m.to.as_str(), m.news)).collect()
    }

    #[test]
    fn an_organiser_invites_updates_and_cancels() {
        let (one, both) = (event(BOB), event(&format!("{BOB}{EVE}")));
        let made = messages(None, Some(&both), &alice());
        let invited = [
            ("REQUEST", "mailto:bob@example.org", true),
            ("REQUEST", "mailto:eve@example.org", true),
        ];
        assert_eq!(brief(&made), invited);
        let fewer = messages(Some(&both), Some(&one), &alice());
        let told = [
            ("REQUEST", "mailto:bob@example.org", false),
            ("CANCEL", "mailto:eve@example.org", false),
        ];
        assert_eq!(brief(&fewer), told);
        let later = event(&format!("SEQUENCE:1\r\n{BOB}"));
        assert_eq!(
            brief(&messages(Some(&one), Some(&later), &alice())),
            [("REQUEST", "mailto:bob@example.org", true)]
        );
        assert_eq!(
            brief(&messages(Some(&one), None, &alice())),
            [("CANCEL", "mailto:bob@example.org", true)]
        );
        let off = event(&format!("STATUS:CANCELLED\r\nSEQUENCE:2\r\n{BOB}"));
        assert_eq!(
            brief(&messages(Some(&one), Some(&off), &alice())),
            [("CANCEL", "mailto:bob@example.org", true)]
        );
    }

    #[test]
    fn a_guest_answers() {
        let bob = vec!["mailto:bob@example.org".to_owned()];
        let (asked, yes) = (event(BOB), event(&BOB.replace("NEEDS-ACTION", "ACCEPTED")));
        assert!(messages(None, Some(&asked), &bob).is_empty());
        let answered = messages(Some(&asked), Some(&yes), &bob);
        assert_eq!(answered[0].method, "REPLY");
        assert_eq!(answered[0].to, "mailto:alice@example.org");
        let kept = with_answer(&asked, &answered[0]).unwrap();
        assert!(
            kept.contains("ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:bob"),
            "{kept}"
        );
        assert_eq!(messages(Some(&asked), None, &bob)[0].method, "REPLY");
    }

    #[test]
    fn strangers_and_plain_events_call_for_nothing() {
        let carol = vec!["mailto:carol@example.org".to_owned()];
        assert!(messages(None, Some(&event(BOB)), &carol).is_empty());
        assert!(messages(None, Some("BEGIN:VEVENT"), &alice()).is_empty());
        assert!(messages(None, None, &alice()).is_empty());
        let client = event("ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:x@example.org\r\n");
        assert!(messages(None, Some(&client), &alice()).is_empty());
    }

    #[test]
    fn long_lines_are_folded_and_come_back() {
        let long = format!("DESCRIPTION:{}", "é".repeat(200));
        let mut out = String::new();
        push(&mut out, &long);
        assert!(out.lines().all(|line| line.len() <= 75));
        assert_eq!(object::unfold(&out).trim_end(), long);
    }
}

//! Requests that make no sense, told before anything is asked of the site.

use super::seconds;
use crate::dav::client::Path;
use crate::transfer::Error;
use crate::transfer::model::{Incoming, Meetings, Request, Selection};

/// Says what is wrong with a request.
pub(crate) fn check(request: &Request, now: i64) -> Result<(), Error> {
    if request.source.is_empty() || Path::root().join(&request.source).is_err() {
        return Err(Error::invalid("source", format!("{:?} is no account", request.source)));
    }
    let recipients = request.recipients();
    if recipients.is_empty() {
        return Err(Error::invalid("recipient", "say who receives"));
    }
    for uid in recipients {
        if uid.is_empty() || Path::root().join(uid).is_err() {
            return Err(Error::invalid("recipient", format!("{uid:?} is no account")));
        }
        if uid == request.source && request.target.is_none() {
            return Err(Error::SameAccount);
        }
    }
    if let Some(when) = &request.when {
        let at = seconds(when).ok_or_else(|| {
            Error::invalid("when", format!("{when:?} is no time: write 2026-12-31T18:00:00Z"))
        })?;
        if at > now + 366 * 86_400 {
            return Err(Error::invalid("when", "is more than a year away"));
        }
    }
    refuse(request)?;
    if let Some(destination) = &request.destination {
        Path::root()
            .walk(destination)
            .map_err(|error| Error::invalid("destination", error.to_string()))?;
    }
    let parts = request.assignments.iter().map(|part| &part.selection);
    for selection in parts.chain([&request.selection]) {
        patterns(selection)?;
    }
    Ok(())
}

/// What may be asked for, and cannot be done: never taken and left out.
fn refuse(request: &Request) -> Result<(), Error> {
    if request.target.is_some() && request.meetings == Meetings::Rehome {
        let why = "meetings cannot get an organiser at another instance: leave this out";
        return Err(Error::invalid("meetings", why));
    }
    if request.incoming == Incoming::Reshare
        && (request.target.is_some() || request.recipient.is_none())
    {
        let why = "needs a recipient on this instance, with whom all of it is shared";
        return Err(Error::invalid("incoming", why));
    }
    Ok(())
}

fn patterns(selection: &Selection) -> Result<(), Error> {
    let Selection::Parts(parts) = selection else { return Ok(()) };
    let both = [("selection.include", &parts.include), ("selection.exclude", &parts.exclude)];
    for (field, patterns) in both {
        for pattern in patterns {
            Path::root().walk(pattern).map_err(|error| Error::invalid(field, error.to_string()))?;
            super::select::glob(pattern).map_err(|why| Error::invalid(field, why))?;
        }
    }
    for (field, names) in [
        ("selection.calendars", &parts.calendars),
        ("selection.address_books", &parts.address_books),
    ] {
        for name in names {
            Path::root().join(name).map_err(|error| Error::invalid(field, error.to_string()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let request: Request = serde_json::from_str(json).expect("a request");
        check(&request, 0).expect_err("a refusal").to_string()
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (json, named) in [
            (r#"{"source":"a"}"#, "recipient"),
            (r#"{"source":"a","recipient":"a"}"#, "same account"),
            (r#"{"source":"..","recipient":"a"}"#, "source"),
            (r#"{"source":"a","recipient":"b","when":"tomorrow"}"#, "when"),
            (
                r#"{"source":"a","recipient":"b","meetings":"rehome","target":{"url":"x"}}"#,
                "meetings",
            ),
            (
                r#"{"source":"a","assignments":[{"recipient":"b","selection":"all"}],"incoming":"reshare"}"#,
                "incoming",
            ),
            (r#"{"source":"a","recipient":"b","destination":"x/../y"}"#, "destination"),
            (
                r#"{"source":"a","recipient":"b","selection":{"include":["/x/../../y"]}}"#,
                "selection.include",
            ),
            (
                r#"{"source":"a","recipient":"b","selection":{"exclude":["/x[/y"]}}"#,
                "selection.exclude",
            ),
            (
                r#"{"source":"a","recipient":"b","selection":{"calendars":["a/b"]}}"#,
                "selection.calendars",
            ),
        ] {
            let told = refused(json);
            assert!(told.contains(named), "{json}: {told}");
        }
    }
}

//! Many transfers from one CSV: either all of them can start, or none does and every line that is
//! wrong is named.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Api, transfers};
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{Asked, At, whole};
use crate::admin::problem::{Problem, Wrong};
use crate::transfer::model::{After, Conflict, Id, Request, Shares};

/// Lines of one file.
const MOST: usize = 10_000;
/// Plans that are made at a time.
const AT_A_TIME: usize = 4;

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct How {
    /// Plan only: say what would be started.
    #[serde(default)]
    dry_run: bool,
}

/// One line. Columns that are missing or empty have the defaults of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    source: String,
    recipient: String,
    destination: Option<String>,
    conflict: Option<Conflict>,
    shares: Option<Shares>,
    after: Option<After>,
    when: Option<String>,
}

/// What became of all lines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bulk {
    transfers: Vec<One>,
}

/// What became of one line.
#[derive(Debug, Serialize, ToSchema)]
struct One {
    /// The line, from 1, which has the names of the columns.
    line: u64,
    /// The plan's hash.
    plan: String,
    /// The transfer that was started; none for a dry run.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
    /// Why this one could not be started after all, though its plan was good.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Starts a transfer for each line of a CSV with the columns `source`, `recipient`, and, if wanted,
/// `destination`, `conflict`, `shares`, `after`, `when`. If anything is wrong with any line, all such
/// lines are named and none is started.
#[utoipa::path(post, path = "/sites/{site}/bulk", tag = "transfers",
    params(("site" = String, Path), How),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Bulk, description = "a dry run"),
        (status = 202, body = Bulk), (status = "default", body = Problem)))]
pub(super) async fn start(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Asked(how): Asked<How>,
    request: HttpRequest,
) -> Result<(StatusCode, Json<Bulk>), Problem> {
    caller.needs(Scope::Transfer, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    let (requests, mut wrong) = read(&whole(request).await?)?;
    let planned = stream::iter(requests).map(|(line, request)| {
        let (api, site) = (&api, &site);
        async move { (line, api.transfers.plan(site, request).await) }
    });
    let planned: Vec<_> = planned.buffered(AT_A_TIME).collect().await;
    let mut plans = Vec::with_capacity(planned.len());
    for (line, plan) in planned {
        let error = |code: &str, detail: String| Wrong::at(line, code, detail);
        match plan {
            Err(found) => {
                let problem = Problem::from(found);
                wrong.push(error(problem.code(), problem.detail.clone()));
            }
            Ok(plan) if !plan.blocking.is_empty() => {
                wrong.extend(plan.blocking.into_iter().map(|block| error("blocked", block.detail)))
            }
            Ok(plan) => plans.push((line, plan.hash)),
        }
    }
    if !wrong.is_empty() {
        return Err(refused(wrong));
    }
    let mut transfers = Vec::with_capacity(plans.len());
    for (line, plan) in plans {
        let (id, error) = match how.dry_run {
            true => (None, None),
            false => match transfers::begin(&api, &caller, &cloud, &site, &plan, None).await {
                Ok(id) => (Some(id), None),
                Err(problem) => (None, Some(problem.detail)),
            },
        };
        transfers.push(One { line, plan, id, error });
    }
    let status = if how.dry_run { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Bulk { transfers })))
}

/// Requests by their lines.
type Numbered = Vec<(u64, Request)>;

/// The requests of a file, by line, and what is wrong with the others.
fn read(bytes: &Bytes) -> Result<(Numbered, Vec<Wrong>), Problem> {
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let names = reader.headers().map_err(|error| Problem::bad("bad_csv", format!("{error}.")))?;
    let names = names.clone();
    for needed in ["source", "recipient"] {
        if !names.iter().any(|name| name == needed) {
            let detail = format!(
                "The first line has to name the columns, and `{needed}` is not among them."
            );
            return Err(Problem::bad("bad_csv", detail));
        }
    }
    let (mut requests, mut wrong) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut record = csv::StringRecord::new();
    loop {
        let at = reader.position().line();
        let mut error = |line: u64, code: &str, detail: String| {
            wrong.push(Wrong::at(line, code, detail));
        };
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(found) => {
                let line = found.position().map_or(at, csv::Position::line);
                error(line, "bad_csv", format!("{found}."));
                continue;
            }
        }
        let line = record.position().map_or(at, csv::Position::line);
        if requests.len() + wrong.len() >= MOST {
            return Err(Problem::bad("bad_csv", format!("There are more than {MOST} lines.")));
        }
        match record.deserialize::<Line>(Some(&names)).map(Line::request) {
            Err(found) => wrong.push(bad(line, &found)),
            Ok(Err((code, detail))) => {
                wrong.push(Wrong::at(line, code, detail));
            }
            Ok(Ok(request)) => match seen.insert(request.source.clone(), line) {
                Some(earlier) => {
                    let detail =
                        format!("`{}` is the source in line {earlier} too.", request.source);
                    wrong.push(Wrong::at(line, "double", detail));
                }
                None => requests.push((line, request)),
            },
        }
    }
    if requests.is_empty() && wrong.is_empty() {
        return Err(Problem::bad("bad_csv", "There is no line below the names of the columns."));
    }
    Ok((requests, wrong))
}

fn bad(line: u64, error: &csv::Error) -> Wrong {
    let detail = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => format!("{err}."),
        _ => format!("{error}."),
    };
    Wrong::at(line, "bad_line", detail)
}

fn refused(mut wrong: Vec<Wrong>) -> Problem {
    wrong.sort_by_key(|wrong| wrong.line);
    let mut lines: Vec<_> = wrong.iter().map(|wrong| wrong.line).collect();
    lines.dedup();
    let detail = format!("{} lines are wrong, so none was started: see `errors`.", lines.len());
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem { errors: wrong, ..Problem::new(status, "bad_lines", detail) }
}

impl Line {
    fn request(self) -> Result<Request, (&'static str, String)> {
        if self.source.is_empty() || self.recipient.is_empty() {
            return Err(("bad_line", "`source` and `recipient` have to be filled in.".to_owned()));
        }
        if self.source == self.recipient {
            return Err(("same_account", "Source and recipient are the same.".to_owned()));
        }
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Request {
            destination: filled(self.destination),
            conflict: self.conflict.unwrap_or_default(),
            shares: self.shares.unwrap_or_default(),
            after: self.after.unwrap_or_default(),
            when: filled(self.when),
            ..Request::all(&self.source, &self.recipient)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Vec<u64>, Vec<(u64, String)>) {
        let (requests, wrong) = read(&Bytes::from(text.to_owned())).expect("a file");
        let wrong =
            wrong.into_iter().map(|wrong| (wrong.line.unwrap_or_default(), wrong.code)).collect();
        (requests.into_iter().map(|(line, _)| line).collect(), wrong)
    }

    #[test]
    fn every_wrong_line_is_named() {
        let text = "\u{FEFF}source,recipient,conflict\n\
                    alice,bob,\n\
                    carol,carol,\n\
                    dave\n\
                    ,bob,\n\
                    erin,bob,perhaps\n\
                    alice,dave,rename\n\
                    \"fr\"\"ed\", bob ,merge\n";
        let (good, wrong) = lines(text);
        assert_eq!(good, [2, 8]);
        let codes: Vec<(u64, &str)> =
            wrong.iter().map(|(line, code)| (*line, code.as_str())).collect();
        assert_eq!(
            codes,
            [(3, "same_account"), (4, "bad_csv"), (5, "bad_line"), (6, "bad_line"), (7, "double")]
        );
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        for text in ["", "source,recipient\n", "alice,bob\n", "source\nalice\n"] {
            assert!(read(&Bytes::from(text)).is_err(), "{text:?}");
        }
        let (_, wrong) = lines("source,recipient,extra\nalice,bob,x\n");
        assert_eq!(wrong, [(2, "bad_line".to_owned())]);
    }
}

//! The audit log, as JSON Lines or CSV, streamed.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{Asked, At};
use crate::admin::problem::Problem;
use crate::store::{Error, Filter, Written};

/// How it is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// One JSON object per line.
    #[default]
    Jsonl,
    /// Comma-separated values, with a line of names.
    Csv,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Wanted {
    /// `jsonl` or `csv`.
    #[serde(default)]
    format: Format,
    /// Only entries after this number; -200 means about the newest 200.
    #[serde(default)]
    after: i64,
    /// At most so many; all if not said.
    limit: Option<usize>,
}

/// All entries, oldest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Wanted),
    responses((status = 200, body = String, content_type = "application/x-ndjson"),
        (status = "default", body = Problem)))]
pub(super) async fn all(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Audit, None)?;
    if !caller.sees("") {
        let detail = "These credentials are for some sites only: ask for the log of each.";
        return Err(Problem::forbidden("limited", detail));
    }
    Ok(written(&api, None, wanted))
}

/// The entries about a site, oldest first.
#[utoipa::path(get, path = "/sites/{site}/audit", tag = "audit",
    params(("site" = String, Path), Wanted),
    responses((status = 200, body = String, content_type = "application/x-ndjson"),
        (status = "default", body = Problem)))]
pub(super) async fn of_site(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Audit, Some(&site))?;
    api.cloud(&caller, &site)?;
    Ok(written(&api, Some(site), wanted))
}

fn written(api: &Api, site: Option<String>, wanted: Wanted) -> Response {
    let Wanted { format, after, limit } = wanted;
    let entries = api.store.audit_entries(Filter { site, after, limit });
    let (kind, head, line): (_, _, fn(&Written) -> Vec<u8>) = match format {
        Format::Jsonl => ("application/x-ndjson", Vec::new(), json),
        Format::Csv => ("text/csv; charset=utf-8", row(NAMES), comma_separated),
    };
    let head = stream::iter((!head.is_empty()).then(|| Ok::<_, Error>(Bytes::from(head))));
    let lines = entries.map(move |entry| entry.map(|entry| Bytes::from(line(&entry))));
    ([(CONTENT_TYPE, kind)], Body::from_stream(head.chain(lines))).into_response()
}

const NAMES: [&str; 10] =
    ["seq", "at", "who", "origin", "site", "action", "subject", "result", "detail", "chain"];

fn json(entry: &Written) -> Vec<u8> {
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    line
}

fn comma_separated(entry: &Written) -> Vec<u8> {
    let detail = entry.detail.to_string();
    let numbers = [entry.seq.to_string(), entry.at.to_string()];
    row([
        &numbers[0],
        &numbers[1],
        &entry.who,
        &entry.origin,
        &entry.site,
        &entry.action,
        &entry.subject,
        &entry.result,
        &detail,
        &entry.chain,
    ])
}

/// A line of CSV, in which no cell is a formula to the program that opens it.
fn row(cells: [&str; 10]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cells = cells.map(|cell| match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    });
    // Into memory: there is nothing that could fail.
    let _ = writer.write_record(&cells);
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let mut cells = [""; 10];
        cells[2] = "=1+1";
        cells[3] = "a,\"b\"\nc";
        let line = String::from_utf8(row(cells)).expect("text");
        assert_eq!(line, ",,'=1+1,\"a,\"\"b\"\"\nc\",,,,,,\n");
    }
}

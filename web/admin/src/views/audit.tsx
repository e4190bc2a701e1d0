/** The audit log: who did what, to search and to keep. Of one site, or at the host's door of all. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api } from "../api";
import { known, list, moment, t } from "../i18n";
import { link } from "../route";
import { Failure, Heading, Spinner, save } from "../ui/parts";
import { called } from "../who";

/** Entries asked for at a time, from the newest. */
const PAGE = 200;

interface Entry {
  seq: number;
  at: number;
  who: string;
  origin: string;
  action: string;
  site: string;
  subject: string;
  result: string;
  detail?: { source?: string; recipients?: string[]; why?: string; name?: string } | null;
}

export function Audit({ api, home }: { api: Api; home: string[] }) {
  const [all, setAll] = useState<Entry[]>();
  const [wanted, setWanted] = useState(PAGE);
  const [search, setSearch] = useState("");
  const [error, setError] = useState<unknown>();
  const path = useCallback((query: string) => (api.siteName ? api.at("audit") : "/audit") + query, [api]);
  const load = useCallback(
    () => api.lines<Entry>(path(`?after=-${wanted}`)).then((entries) => { setAll(entries.reverse()); setError(undefined); }, setError),
    [api, path, wanted],
  );
  useEffect(() => void load(), [load]);
  const keep = (format: "csv" | "jsonl") => api.file(path(`?format=${format}`)).then((file) => save(file, `passeur-audit.${format}`), setError);
  const term = search.trim().toLocaleLowerCase();
  const found = all?.filter((entry) => term === "" || `${text(entry)} ${entry.who} ${entry.origin} ${moment(entry.at)}`.toLocaleLowerCase().includes(term));
  return (
    <section class="card">
      <Heading>{t("audit.title")}</Heading>
      <p class="muted">{t("audit.intro")}</p>
      <div class="row">
        <input class="input grow" type="search" value={search} placeholder={t("audit.search")} aria-label={t("audit.search")} onInput={(event) => setSearch(event.currentTarget.value)} />
        <button type="button" class="button" onClick={() => void keep("csv")}>{t("audit.csv")}</button>
        <button type="button" class="button" onClick={() => void keep("jsonl")}>{t("audit.jsonl")}</button>
      </div>
      {error !== undefined && <Failure error={error} retry={() => void load()} />}
      {!all && error === undefined && <Spinner />}
      {found && <p class="muted small" role="status">{t("audit.found", { n: found.length })}</p>}
      {found && found.length > 0 && (
        <div class="scroll" role="region" aria-label={t("audit.title")} tabIndex={0}>
          <table class="narrow">
            <thead><tr><th scope="col">{t("audit.when")}</th><th scope="col">{t("audit.who")}</th><th scope="col">{t("audit.what")}</th><th scope="col">{t("audit.result")}</th></tr></thead>
            <tbody>
              {found.map((entry) => (
                <tr key={entry.seq}>
                  <td class="nowrap">{moment(entry.at)}</td>
                  <td class="break">{called(entry.who)}<br /><span class="muted small">{entry.origin}</span></td>
                  <td class="break"><What entry={entry} home={home} hasSite={api.siteName !== ""} /></td>
                  <td><span class={`badge ${entry.result === "done" ? "good" : "warn"}`}>{known("audit.result", entry.result, known("problem", entry.result, entry.result))}</span></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {all && all.length >= wanted && <div class="row"><button type="button" class="button" onClick={() => setWanted(wanted * 3)}>{t("audit.older")}</button></div>}
    </section>
  );
}

function What({ entry, home, hasSite }: { entry: Entry; home: string[]; hasSite: boolean }) {
  const isTransfer = entry.action.startsWith("transfer.") && entry.subject !== "";
  const place = hasSite ? home : ["sites", entry.site];
  return (
    <>
      {isTransfer ? <a {...link(...place, "transfers", entry.subject)}>{action(entry)}</a> : action(entry)}
      <br />
      <span class="muted small">{details(entry, hasSite)}</span>
    </>
  );
}

const action = (entry: Entry) => known("audit.action", entry.action, entry.action);

function details({ detail, site, subject, action }: Entry, hasSite: boolean): string {
  const people = detail?.source ? t("transfer.of", { source: detail.source, recipients: list(detail.recipients ?? []) }) : "";
  const thing = action.startsWith("transfer.") || action.startsWith("token.") ? "" : subject;
  return [hasSite ? "" : site, people, detail?.name, thing === site ? "" : thing, detail?.why].filter(Boolean).join(" · ");
}

const text = (entry: Entry) => `${action(entry)} ${details(entry, false)} ${entry.subject} ${entry.result}`;

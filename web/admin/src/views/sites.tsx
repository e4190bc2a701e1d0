/** The sites of the host's door: found by name or host, added and removed where the API may. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api } from "../api";
import { t } from "../i18n";
import { link } from "../route";
import { Confirm, Failure, Heading, Spinner } from "../ui/parts";
import { useMe } from "../who";

interface Site {
  name: string;
  hosts: string[];
  source: "file" | "api";
  etag?: string;
  /** Why it is not served. */
  problem?: string;
}

/** More are found by typing. */
const SHOWN = 100;

export function Sites({ api }: { api: Api }) {
  const me = useMe();
  const [all, setAll] = useState<Site[]>();
  const [error, setError] = useState<unknown>();
  const [filter, setFilter] = useState("");
  const [removing, setRemoving] = useState<Site>();
  const load = useCallback(() => api.ask<{ sites: Site[] }>("GET", "/sites").then(({ sites }) => { setAll(sites); setError(undefined); }, setError), [api]);
  useEffect(() => void load(), [load]);
  const term = filter.trim().toLowerCase();
  const found = all?.filter((site) => [site.name, ...site.hosts].some((name) => name.includes(term))) ?? [];
  const may = me.scopes.includes("sites");
  return (
    <>
      <section class="card">
        <Heading>{t("sites.title")}</Heading>
        <input class="input" type="search" value={filter} placeholder={t("sites.search")} aria-label={t("sites.search")} onInput={(event) => setFilter(event.currentTarget.value)} />
        {error !== undefined && <Failure error={error} retry={() => void load()} />}
        {!all && error === undefined && <Spinner />}
        {all && <p class="muted small" role="status">{t("sites.found", { n: found.length })}{found.length > SHOWN && ` ${t("sites.more", { n: SHOWN })}`}</p>}
        <ul class="things">
          {found.slice(0, SHOWN).map((site) => {
            const known = me.sites.find((other) => other.name === site.name);
            return (
              <li key={site.name}>
                <div class="row apart">
                  <a class="grow" {...link("sites", site.name)}><strong class="break">{site.name}</strong></a>
                  {site.problem && <span class="badge bad">{t("sites.notServed")}</span>}
                  {known?.approval && <span class="badge">{t("sites.approval")}</span>}
                  {known && !known.access && <span class="badge warn">{t("sites.noAccess")}</span>}
                  {may && site.source === "api" && <button type="button" class="button danger" aria-label={t("sites.removeOf", { name: site.name })} onClick={() => setRemoving(site)}>{t("sites.remove")}</button>}
                </div>
                <span class="muted small break">{site.hosts.join(", ")} · {t(`sites.source.${site.source}`)}</span>
                {site.problem && <span class="small break">{site.problem}</span>}
              </li>
            );
          })}
        </ul>
      </section>
      {may && <Add api={api} added={() => void load()} />}
      {removing && (
        <Confirm
          title={t("sites.remove.sure", { name: removing.name })}
          action={t("sites.remove")}
          tone="danger"
          password={false}
          onClose={() => setRemoving(undefined)}
          run={async () => {
            await api.ask("DELETE", `/sites/${encodeURIComponent(removing.name)}`, undefined, { "If-Match": removing.etag ?? "*" });
            setRemoving(undefined);
            await load();
          }}
        >
          <p>{t("sites.remove.words")}</p>
        </Confirm>
      )}
    </>
  );
}

/** What most sites need; all other keys are set by the API or a file. */
function Add({ api, added }: { api: Api; added(): void }) {
  const [name, setName] = useState("");
  const [host, setHost] = useState("");
  const [target, setTarget] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    api
      .ask("POST", "/sites", { name: name.trim(), hosts: host.split(/[\s,]+/).filter(Boolean), upstream: { targets: [target.trim()] } })
      .then(() => {
        setName("");
        setHost("");
        setTarget("");
        added();
      }, setError)
      .finally(() => setBusy(false));
  };
  const fields = [
    { id: "name", value: name, set: setName, label: t("sites.name"), hint: t("sites.name.hint") },
    { id: "host", value: host, set: setHost, label: t("sites.host"), hint: t("sites.host.hint") },
    { id: "target", value: target, set: setTarget, label: t("sites.target"), hint: t("sites.target.hint") },
  ];
  return (
    <details class="card">
      <summary>{t("sites.add")}</summary>
      <form class="stack" onSubmit={submit}>
        {fields.map(({ id, value, set, label, hint }) => (
          <div class="field" key={id}>
            <label for={`site-${id}`}>{label}</label>
            <span class="muted small" id={`site-${id}-hint`}>{hint}</span>
            <input id={`site-${id}`} class="input" required aria-describedby={`site-${id}-hint`} autocomplete="off" value={value} onInput={(event) => set(event.currentTarget.value)} />
          </div>
        ))}
        {error !== undefined && <Failure error={error} />}
        <div class="row end"><button type="submit" class="button primary" disabled={busy}>{t("sites.add")}</button></div>
      </form>
    </details>
  );
}

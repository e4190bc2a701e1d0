/** What only the host's door has: a token to enter with, sites, tokens, the audit log. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api, Me } from "../api";
import { moment, t } from "../i18n";
import { link } from "../route";
import { Failure, Heading, Spinner } from "../ui/parts";

export function Login({ enter, error }: { enter(token: string): void; error?: unknown }) {
  const [token, setToken] = useState("");
  return (
    <section class="card">
      <Heading>{t("login.title")}</Heading>
      <p class="muted">{t("login.intro")}</p>
      <form
        class="field"
        onSubmit={(event) => {
          event.preventDefault();
          enter(token.trim());
        }}
      >
        <label for="token">{t("login.token")}</label>
        <input id="token" class="input" type="password" autocomplete="off" required value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        {error !== undefined && <Failure error={error} />}
        <div class="row end"><button type="submit" class="button primary">{t("login.enter")}</button></div>
      </form>
    </section>
  );
}

export function Sites({ me }: { me: Me }) {
  const [filter, setFilter] = useState("");
  const found = me.sites.filter((site) => site.name.includes(filter.trim().toLowerCase()));
  return (
    <section class="card">
      <Heading>{t("sites.title")}</Heading>
      <input class="input" type="search" value={filter} placeholder={t("sites.search")} aria-label={t("sites.search")} onInput={(event) => setFilter(event.currentTarget.value)} />
      <p class="muted small" role="status">{t("sites.found", { n: found.length })}</p>
      <ul class="things">
        {found.slice(0, 100).map((site) => (
          <li key={site.name}><a {...link("sites", site.name)}><strong class="break">{site.name}</strong></a></li>
        ))}
      </ul>
    </section>
  );
}

interface Token {
  id: string;
  name: string;
  scopes: string[];
  created_at: number;
  expires_at?: number | null;
  used_at?: number | null;
  revoked_at?: number | null;
}

export function Tokens({ api }: { api: Api }) {
  const [all, setAll] = useState<Token[]>();
  const [error, setError] = useState<unknown>();
  const load = useCallback(() => api.ask<{ tokens: Token[] }>("GET", "/tokens").then(({ tokens }) => setAll(tokens.filter((token) => !token.revoked_at)), setError), [api]);
  useEffect(() => void load(), [load]);
  return (
    <section class="card">
      <Heading>{t("tokens.title")}</Heading>
      <p class="muted">{t("tokens.intro")} <code>passeur token create</code></p>
      {error !== undefined && <Failure error={error} retry={() => void load()} />}
      {!all && error === undefined && <Spinner />}
      {all && all.length === 0 && <p class="muted">{t("tokens.none")}</p>}
      <ul class="things">
        {all?.map((token) => (
          <li key={token.id}>
            <div class="row apart">
              <strong class="break grow">{token.name}</strong>
              <button type="button" class="button danger" onClick={() => api.ask("DELETE", `/tokens/${encodeURIComponent(token.id)}`).then(load, setError)}>{t("tokens.revoke")}</button>
            </div>
            <span class="muted small break">
              {token.scopes.join(", ")} · {moment(token.created_at)}
              {token.expires_at && ` · ${t("tokens.expires", { time: moment(token.expires_at) })}`}
              {token.used_at && ` · ${t("tokens.used", { time: moment(token.used_at) })}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface Entry {
  seq: number;
  at: number;
  who: string;
  action: string;
  site: string;
  subject: string;
  result: string;
}

export function Audit({ api }: { api: Api }) {
  const [all, setAll] = useState<Entry[]>();
  const [error, setError] = useState<unknown>();
  const load = useCallback(() => api.lines<Entry>("/audit?after=-200").then((entries) => setAll(entries.reverse()), setError), [api]);
  useEffect(() => void load(), [load]);
  return (
    <section class="card">
      <Heading>{t("audit.title")}</Heading>
      <p class="muted">{t("audit.intro")}</p>
      {error !== undefined && <Failure error={error} retry={() => void load()} />}
      {!all && error === undefined && <Spinner />}
      {all && (
        <div class="scroll">
          <table>
            <thead><tr><th scope="col">{t("audit.when")}</th><th scope="col">{t("audit.who")}</th><th scope="col">{t("audit.what")}</th><th scope="col">{t("audit.result")}</th></tr></thead>
            <tbody>
              {all.map((entry) => (
                <tr key={entry.seq}>
                  <td class="nowrap">{moment(entry.at)}</td>
                  <td class="break">{entry.who}</td>
                  <td class="break">{[entry.action, entry.site, entry.subject].filter(Boolean).join(" · ")}</td>
                  <td class="break">{entry.result}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

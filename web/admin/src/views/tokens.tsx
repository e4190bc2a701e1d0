/** Tokens of the host's door: made here, shown once, revoked. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "../api";
import { known, moment, t } from "../i18n";
import { Check, Confirm, Failure, Heading, Notice, Spinner } from "../ui/parts";
import { called, useMe } from "../who";

interface Token {
  id: string;
  name: string;
  scopes: string[];
  created_at: number;
  created_by: string;
  expires_at?: number;
  used_at?: number;
  revoked_at?: number;
}

/** Days after which a new token ends; 0: never by itself. */
const DAYS = [30, 90, 365, 0];

export function Tokens({ api }: { api: Api }) {
  const [all, setAll] = useState<Token[]>();
  const [error, setError] = useState<unknown>();
  const [made, setMade] = useState<{ name: string; secret: string }>();
  const [revoking, setRevoking] = useState<Token>();
  const load = useCallback(() => api.ask<{ tokens: Token[] }>("GET", "/tokens").then(({ tokens }) => { setAll(tokens); setError(undefined); }, setError), [api]);
  useEffect(() => void load(), [load]);
  const now = Date.now();
  const ended = (token: Token) => token.revoked_at !== undefined || (token.expires_at !== undefined && token.expires_at < now);
  const open = all?.filter((token) => !ended(token)) ?? [];
  const closed = all?.filter(ended) ?? [];
  return (
    <>
      <section class="card">
        <Heading>{t("tokens.title")}</Heading>
        <p class="muted">{t("tokens.intro")}</p>
        {error !== undefined && <Failure error={error} retry={() => void load()} />}
        {!all && error === undefined && <Spinner />}
        {all && open.length === 0 && <p class="muted">{t("tokens.none")}</p>}
        <ul class="things">
          {open.map((token) => (
            <li key={token.id}>
              <div class="row apart">
                <strong class="break grow">{token.name}</strong>
                <button type="button" class="button danger" aria-label={t("tokens.revokeOf", { name: token.name })} onClick={() => setRevoking(token)}>{t("tokens.revoke")}</button>
              </div>
              <Facts token={token} />
            </li>
          ))}
        </ul>
        {closed.length > 0 && (
          <details>
            <summary>{t("tokens.ended", { n: closed.length })}</summary>
            <ul class="things">{closed.map((token) => <li key={token.id}><span class="break">{token.name}</span><Facts token={token} /></li>)}</ul>
          </details>
        )}
      </section>
      {made && <Made {...made} />}
      <New
        api={api}
        made={(name, secret) => {
          setMade({ name, secret });
          void load();
        }}
      />
      {revoking && (
        <Confirm
          title={t("tokens.sure", { name: revoking.name })}
          action={t("tokens.revoke")}
          tone="danger"
          password={false}
          onClose={() => setRevoking(undefined)}
          run={async () => {
            await api.ask("DELETE", `/tokens/${encodeURIComponent(revoking.id)}`);
            setRevoking(undefined);
            await load();
          }}
        >
          <p>{t("tokens.sure.words")}</p>
        </Confirm>
      )}
    </>
  );
}

function Facts({ token }: { token: Token }) {
  return (
    <span class="muted small break">
      {token.scopes.map((scope) => (scope.startsWith("site:") ? scope.slice(5) : known("scope", scope, scope))).join(" · ")}
      <br />
      {t("tokens.made", { time: moment(token.created_at), who: called(token.created_by) })}
      {` · ${token.used_at ? t("tokens.used", { time: moment(token.used_at) }) : t("tokens.unused")}`}
      {token.revoked_at ? ` · ${t("tokens.revoked", { time: moment(token.revoked_at) })}` : token.expires_at ? ` · ${t("tokens.expires", { time: moment(token.expires_at) })}` : ""}
    </span>
  );
}

/** The secret of a token that was made: it is nowhere else, and gone with this view. */
function Made({ name, secret }: { name: string; secret: string }) {
  const [copied, setCopied] = useState(false);
  const self = useRef<HTMLInputElement>(null);
  useEffect(() => {
    self.current?.focus();
    self.current?.select();
  }, [secret]);
  return (
    <section class="card">
      <Notice tone="good" title={t("tokens.new.done", { name })}>{t("tokens.new.once")}</Notice>
      <div class="row">
        <input ref={self} class="input grow mono" readOnly value={secret} aria-label={t("tokens.secret")} />
        <button type="button" class="button" onClick={() => void navigator.clipboard.writeText(secret).then(() => setCopied(true), () => self.current?.select())}>{t(copied ? "tokens.copied" : "tokens.copy")}</button>
      </div>
    </section>
  );
}

function New({ api, made }: { api: Api; made(name: string, secret: string): void }) {
  const me = useMe();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(["read"]);
  const [sites, setSites] = useState("");
  const [days, setDays] = useState(90);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    const limits = sites.split(/[\s,]+/).filter(Boolean).map((site) => `site:${site}`);
    api
      .ask<{ name: string; secret: string }>("POST", "/tokens", { name: name.trim(), scopes: [...scopes, ...limits], days: days || undefined })
      .then((token) => {
        setName("");
        made(token.name, token.secret);
      }, setError)
      .finally(() => setBusy(false));
  };
  return (
    <section class="card">
      <h2>{t("tokens.new")}</h2>
      <form class="stack" onSubmit={submit}>
        <div class="field">
          <label for="token-name">{t("tokens.name")}</label>
          <input id="token-name" class="input" required maxLength={100} value={name} placeholder={t("tokens.name.hint")} onInput={(event) => setName(event.currentTarget.value)} />
        </div>
        <fieldset>
          <legend>{t("tokens.scopes")}</legend>
          {me.scopes.map((scope) => (
            <Check key={scope} checked={scopes.includes(scope)} onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((other) => other !== scope))}>
              {known("scope", scope, scope)}
            </Check>
          ))}
        </fieldset>
        <div class="field">
          <label for="token-sites">{t("tokens.sites")}</label>
          <span class="muted small" id="token-sites-hint">{t("tokens.sites.hint")}</span>
          <input id="token-sites" class="input" aria-describedby="token-sites-hint" value={sites} onInput={(event) => setSites(event.currentTarget.value)} />
        </div>
        <div class="field">
          <label for="token-days">{t("tokens.days")}</label>
          <select id="token-days" class="input" value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {DAYS.map((n) => <option key={n} value={n}>{n ? t("tokens.days.n", { n }) : t("tokens.days.never")}</option>)}
          </select>
        </div>
        {error !== undefined && <Failure error={error} />}
        <div class="row end"><button type="submit" class="button primary" disabled={busy || name.trim() === "" || scopes.length === 0}>{t("tokens.new.make")}</button></div>
      </form>
    </section>
  );
}

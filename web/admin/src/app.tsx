/** The admin page: finds out at which door it stands and who is there, and shows the view of the address. */
import { render } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { Api, type Me, Problem } from "./api";
import { choose, locale, t } from "./i18n";
import { read } from "./instance";
import { base, link, login, usePlace } from "./route";
import { Failure, Heading, Notice, Spinner } from "./ui/parts";
import { Audit } from "./views/audit";
import { Login } from "./views/login";
import { Sites } from "./views/sites";
import { Tokens } from "./views/tokens";
import { Missing, Tours } from "./views/tours";
import { Transfer } from "./views/transfer";
import { Transfers } from "./views/transfers";
import { Looking } from "./who";
import { Wizard } from "./wizard/wizard";

const ROOT = `${base}api/v1`;
const TOKEN = "passeur-token";

function App({ requestToken }: { requestToken?: string }) {
  const [bearer, setBearer] = useState(() => sessionStorage.getItem(TOKEN) ?? "");
  const [me, setMe] = useState<Me>();
  const [error, setError] = useState<unknown>();
  const api = useMemo(() => new Api(ROOT, "", () => ({ requestToken, bearer })), [requestToken, bearer]);

  const load = useCallback(() => {
    setError(undefined);
    api.me().then(
      (found) => {
        if (bearer) sessionStorage.setItem(TOKEN, bearer);
        setMe(found);
      },
      (failed) => {
        sessionStorage.removeItem(TOKEN);
        setError(failed);
      },
    );
  }, [api, bearer]);
  useEffect(load, [load]);

  const leave = () => {
    sessionStorage.removeItem(TOKEN);
    setMe(undefined);
    setBearer("");
  };
  return (
    <>
      <a class="skip" href="#main">{t("skip")}</a>
      <Bar me={me} leave={leave} />
      <main id="main" tabIndex={-1}>
        {me ? <Looking.Provider value={me}><View me={me} api={api} /></Looking.Provider> : <Door error={error} tried={bearer !== ""} enter={setBearer} retry={load} />}
      </main>
    </>
  );
}

/** Views that are not below the first one. */
const OTHERS = new Set(["tokens", "audit", "tours"]);

/** A way to a view, marked where one stands. */
function Way({ to, children }: { to: string[]; children: string }) {
  const place = usePlace();
  const here = to.length === 0 ? !OTHERS.has(place[0] ?? "") : to.every((part, index) => place[index] === part);
  return <a aria-current={here ? "page" : undefined} {...link(...to)}>{children}</a>;
}

function Bar({ me, leave }: { me?: Me; leave(): void }) {
  const isHost = me?.door === "host";
  const has = (scope: string) => me?.scopes.includes(scope) ?? false;
  return (
    <header class="bar">
      <span class="name">{t("title")}</span>
      {me && (
        <nav class="row" aria-label={t("nav")}>
          <Way to={[]}>{t(isHost ? "sites.title" : "home.nav")}</Way>
          {isHost && has("tokens") && <Way to={["tokens"]}>{t("tokens.title")}</Way>}
          {has("audit") && <Way to={["audit"]}>{t("audit.title")}</Way>}
          {me.tours && has("read") && <Way to={["tours"]}>{t("tours.title")}</Way>}
          {!isHost && <a href="/">{t("leave")}</a>}
          {isHost && <button type="button" class="button plain bare" onClick={leave}>{t("logout")}</button>}
        </nav>
      )}
    </header>
  );
}

/** What there is of one site at the host's door. */
function SiteBar({ me, site }: { me: Me; site: string }) {
  const has = (scope: string) => me.scopes.includes(scope);
  return (
    <nav class="row crumbs" aria-label={site}>
      <strong class="break">{site}</strong>
      <Way to={["sites", site, "transfers"]}>{t("home.nav")}</Way>
      {has("audit") && <Way to={["sites", site, "audit"]}>{t("audit.title")}</Way>}
      {me.tours && <Way to={["sites", site, "tours"]}>{t("tours.title")}</Way>}
    </nav>
  );
}

/** What stands where nobody is known yet, or nobody who may enter. */
function Door({ error, tried, enter, retry }: { error: unknown; tried: boolean; enter(token: string): void; retry(): void }) {
  if (error === undefined) return <Spinner />;
  const status = error instanceof Problem ? error.status : 0;
  if (base === "/" && status === 401) return <Login enter={enter} error={tried ? error : undefined} />;
  if (status === 401) {
    return (
      <section class="card">
        <Heading>{t("door.login")}</Heading>
        <p>{t("door.login.words")}</p>
        <div class="row"><a class="button primary" href={login()}>{t("door.login.go")}</a></div>
      </section>
    );
  }
  if (status === 403) {
    return (
      <section class="card">
        <Heading>{t("door.forbidden")}</Heading>
        <Notice tone="warn">{t("door.forbidden.words")}</Notice>
        <div class="row"><a class="button" href="/">{t("leave")}</a></div>
      </section>
    );
  }
  return <section class="card"><Failure error={error} retry={retry} /></section>;
}

function View({ me, api }: { me: Me; api: Api }) {
  const place = usePlace();
  const isHost = me.door === "host";
  const only = me.sites[0]?.name ?? "";
  const [first, second] = place;
  const home = useMemo(() => (isHost ? ["sites", second ?? ""] : []), [isHost, second]);
  const site = isHost ? (second ?? "") : only;
  const here = useMemo(() => api.for(site), [api, site]);

  if (isHost && first === "tokens") return <Tokens api={api} />;
  if (isHost && first === "audit") return <Audit api={api} home={home} />;
  if (isHost && first === "tours") return <Missing api={api} />;
  if (isHost && (first !== "sites" || !second)) return <Sites api={api} />;
  const [view, id] = isHost ? place.slice(2) : place;
  return (
    <>
      {isHost && <SiteBar me={me} site={site} />}
      {view === "new" ? (
        <Wizard key={site} api={here} home={home} />
      ) : view === "transfers" && id ? (
        <Transfer key={id} api={here} id={id} home={home} />
      ) : view === "audit" ? (
        <Audit key={site} api={here} home={home} />
      ) : view === "tours" ? (
        <Tours key={site} api={here} />
      ) : (
        <Transfers key={site} api={here} home={home} />
      )}
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  void read().then(({ languages, requestToken }) => {
    choose(languages);
    document.documentElement.lang = locale();
    document.title = t("title");
    render(<App requestToken={requestToken} />, root);
  });
}

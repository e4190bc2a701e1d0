/** The admin page: finds out at which door it stands and who is there, and shows the view of the address. */
import { render } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { Api, type Me, Problem } from "./api";
import { choose, locale, t } from "./i18n";
import { read } from "./instance";
import { base, link, login, usePlace } from "./route";
import { Failure, Heading, Notice, Spinner } from "./ui/parts";
import { Audit, Login, Sites, Tokens } from "./views/host";
import { Transfer } from "./views/transfer";
import { Transfers } from "./views/transfers";
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
        {me ? <View me={me} api={api} /> : <Door error={error} tried={bearer !== ""} enter={setBearer} retry={load} />}
      </main>
    </>
  );
}

function Bar({ me, leave }: { me?: Me; leave(): void }) {
  const isHost = me?.door === "host";
  return (
    <header class="bar">
      <span class="name">{t("title")}</span>
      <nav class="row" aria-label={t("title")}>
        {isHost && <a {...link()}>{t("sites.title")}</a>}
        {isHost && <a {...link("tokens")}>{t("tokens.title")}</a>}
        {isHost && <a {...link("audit")}>{t("audit.title")}</a>}
        {me?.door === "space" && <a href="/">{t("leave")}</a>}
        {isHost && <button type="button" class="button plain" style={{ color: "inherit" }} onClick={leave}>{t("logout")}</button>}
      </nav>
    </header>
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
  if (isHost && first === "audit") return <Audit api={api} />;
  if (isHost && (first !== "sites" || !second)) return <Sites me={me} />;
  const [view, id] = isHost ? place.slice(2) : place;
  if (view === "new") return <Wizard key={site} api={here} home={home} />;
  if (view === "transfers" && id) return <Transfer key={id} api={here} id={id} home={home} />;
  return <Transfers key={site} api={here} home={home} />;
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

/** All hand-overs of a site, the newest first, and the way to a new one. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api, Summary } from "../api";
import { list, moment, t } from "../i18n";
import { link } from "../route";
import { Failure, Heading, Spinner } from "../ui/parts";
import { called, useMe } from "../who";
import { StateBadge, share } from "./state";

const PAGE = 50;
const PAUSE = 250;

export function Transfers({ api, home }: { api: Api; home: string[] }) {
  const [search, setSearch] = useState("");
  const [all, setAll] = useState<Summary[]>();
  const [more, setMore] = useState(false);
  const [error, setError] = useState<unknown>();

  const ask = useCallback(
    (before?: string) =>
      api.transfers({ search, before, limit: PAGE }).then((page) => {
        setAll((known) => (before && known ? [...known, ...page.transfers] : page.transfers));
        setMore(page.more);
        setError(undefined);
      }, setError),
    [api, search],
  );
  useEffect(() => {
    const timer = setTimeout(() => void ask(), search === "" ? 0 : PAUSE);
    return () => clearTimeout(timer);
  }, [ask, search]);
  // What runs moves on; a page in the background need not know.
  const moving = all?.some((one) => one.state === "running" || one.state === "queued" || one.state === "undoing") ?? false;
  useEffect(() => {
    if (!moving) return;
    const timer = setInterval(() => document.visibilityState === "visible" && void ask(), 5000);
    return () => clearInterval(timer);
  }, [ask, moving]);

  // Those that wait are asked for by themselves: they may be older than what is listed.
  const [waiting, setWaiting] = useState<Summary[]>([]);
  const me = useMe();
  const approval = me.sites.find((site) => site.name === api.siteName)?.approval ?? false;
  useEffect(() => {
    if (approval) api.transfers({ state: "awaiting", limit: PAGE }).then((page) => setWaiting(page.transfers), () => {});
  }, [api, approval]);
  return (
    <>
      <section class="card">
        <Heading>{t("home.title")}</Heading>
        <p class="muted">{t("home.intro")}</p>
        {me.scopes.includes("transfer") && <div class="row"><a class="button primary" {...link(...home, "new")}>{t("home.new")}</a></div>}
      </section>
      {waiting.length > 0 && (
        <section class="card">
          <h2>{t("home.waiting", { n: waiting.length })}</h2>
          <p class="muted">{t("home.waiting.words")}</p>
          <Rows all={waiting} home={home} />
        </section>
      )}
      <section class="card">
        <div class="row apart">
          <h2 class="grow">{t("home.history")}</h2>
          <input class="input grow" type="search" value={search} placeholder={t("home.search")} aria-label={t("home.search")} onInput={(event) => setSearch(event.currentTarget.value)} />
        </div>
        {error !== undefined && <Failure error={error} retry={() => void ask()} />}
        {!all && error === undefined && <Spinner />}
        {all && all.length === 0 && <p class="muted">{t(search ? "home.noneFound" : "home.none")}</p>}
        {all && all.length > 0 && <Rows all={all} home={home} />}
        {more && all && <button type="button" class="button" onClick={() => void ask(all.at(-1)?.id)}>{t("home.more")}</button>}
      </section>
    </>
  );
}

function Rows({ all, home }: { all: Summary[]; home: string[] }) {
  return (
    <ul class="things">
      {all.map((one) => (
        <li key={one.id}>
          <div class="row apart">
            <a class="grow break" {...link(...home, "transfers", one.id)}>
              <strong>{t("transfer.of", { source: one.source, recipients: list(one.recipients) })}</strong>
            </a>
            <StateBadge state={one.state} />
          </div>
          <span class="muted small">{moment(one.created_at)} · {t("transfer.by", { who: called(one.by) })}</span>
          {(one.state === "running" || one.state === "undoing") && <progress max={1} value={share(one.progress)} aria-label={t("progress")} />}
        </li>
      ))}
    </ul>
  );
}

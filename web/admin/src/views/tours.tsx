/** Tours: what a site shows, how far people come, and at the host's door what pages did not have. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api } from "../api";
import { locale, number, t } from "../i18n";
import { Confirm, Failure, Heading, Notice, Spinner } from "../ui/parts";
import { useMe } from "../who";

interface Tour {
  id: string;
  rev: number;
  title: string;
  summary: string;
  steps: number;
  offered: boolean;
  on: boolean;
}

interface Count {
  tour: string;
  step: string;
  what: string;
  count: number;
}

interface Counted {
  shown_from: number;
  counts: Count[];
}

export function Tours({ api }: { api: Api }) {
  const [shown, setShown] = useState<{ on: boolean; tours: Tour[] }>();
  const [counted, setCounted] = useState<Counted>();
  const [error, setError] = useState<unknown>();
  const load = useCallback(() => {
    setError(undefined);
    api.ask<{ on: boolean; tours: Tour[] }>("GET", api.at("tours/catalogue", { language: locale() })).then(setShown, setError);
    api.ask<Counted>("GET", api.at("tours")).then(setCounted, setError);
  }, [api]);
  useEffect(load, [load]);
  const of = (tour: string, what: string) => counted?.counts.filter((one) => one.tour === tour && one.step === "" && one.what === what).reduce((sum, one) => sum + one.count, 0) ?? 0;
  // Fewer than this are not told, so that nobody is found in them.
  const few = (n: number) => (n > 0 ? number(n) : t("tours.few", { n: counted?.shown_from ?? 5 }));
  return (
    <section class="card">
      <Heading>{t("tours.title")}</Heading>
      <p class="muted">{t("tours.intro")}</p>
      {error !== undefined && <Failure error={error} retry={load} />}
      {!shown && error === undefined && <Spinner />}
      {shown && !shown.on && <Notice tone="warn">{t("tours.off")}</Notice>}
      <Switch api={api} on={shown?.on} changed={load} />
      {shown && shown.tours.length > 0 && (
        <div class="scroll" role="region" aria-label={t("tours.title")} tabIndex={0}>
          <table class="narrow">
            <thead><tr><th scope="col">{t("tours.tour")}</th><th scope="col">{t("tours.started")}</th><th scope="col">{t("tours.finished")}</th><th scope="col">{t("tours.refused")}</th></tr></thead>
            <tbody>
              {shown.tours.map((tour) => (
                <tr key={tour.id}>
                  <th scope="row" class="break">
                    {tour.title || tour.id} {!tour.on && <span class="badge warn">{t("tours.isOff")}</span>} {tour.on && tour.offered && <span class="badge">{t("tours.offered")}</span>}
                    <br />
                    <span class="muted small">{tour.summary} {t("tours.steps", { n: tour.steps })}</span>
                  </th>
                  <td>{few(of(tour.id, "started"))}</td>
                  <td>{few(of(tour.id, "done"))}</td>
                  <td>{few(of(tour.id, "dismissed"))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="muted small">{t("tours.nobody", { n: counted?.shown_from ?? 5 })}</p>
    </section>
  );
}

interface Settings {
  tours?: { enabled?: boolean };
}

/** Turns the tours of a site on or off; of a site in a file, its file does. */
function Switch({ api, on, changed }: { api: Api; on?: boolean; changed(): void }) {
  const me = useMe();
  const [found, setFound] = useState<{ value: { settings: Settings }; tag: string }>();
  const [asked, setAsked] = useState(false);
  const may = me.door === "host" && me.scopes.includes("sites");
  const load = useCallback(() => {
    if (may) api.tagged<{ settings: Settings }>(`/sites/${encodeURIComponent(api.siteName)}`).then(setFound, () => setFound(undefined));
  }, [api, may]);
  useEffect(load, [load]);
  if (!may || on === undefined) return null;
  if (!found) return <p class="muted small">{t("tours.file")}</p>;
  return (
    <>
      <div class="row"><button type="button" class="button" onClick={() => setAsked(true)}>{t(on ? "tours.turnOff" : "tours.turnOn")}</button></div>
      {asked && (
        <Confirm
          title={t(on ? "tours.turnOff" : "tours.turnOn")}
          action={t(on ? "tours.turnOff" : "tours.turnOn")}
          password={false}
          onClose={() => setAsked(false)}
          run={async () => {
            const { settings } = found.value;
            const body = { ...settings, tours: { ...settings.tours, enabled: !on } };
            await api.ask("PUT", `/sites/${encodeURIComponent(api.siteName)}`, body, { "If-Match": found.tag });
            setAsked(false);
            load();
            changed();
          }}
        >
          <p>{t(on ? "tours.turnOff.words" : "tours.turnOn.words")}</p>
        </Confirm>
      )}
    </>
  );
}

interface Target {
  target: string;
  nextcloud: string;
  app: string;
  sites: number;
  absent: number;
  fallbacks: Record<string, number>;
  route: string;
}

/** What tours pointed at and pages did not have, over all sites. */
export function Missing({ api }: { api: Api }) {
  const [all, setAll] = useState<Target[]>();
  const [error, setError] = useState<unknown>();
  const load = useCallback(() => {
    setError(undefined);
    api.ask<{ targets: Target[] }>("GET", "/tours/missing").then(({ targets }) => setAll(targets), setError);
  }, [api]);
  useEffect(load, [load]);
  return (
    <section class="card">
      <Heading>{t("missing.title")}</Heading>
      <p class="muted">{t("missing.intro")}</p>
      {error !== undefined && <Failure error={error} retry={load} />}
      {!all && error === undefined && <Spinner />}
      {all && all.length === 0 && <Notice tone="good">{t("missing.none")}</Notice>}
      {all && all.length > 0 && (
        <div class="scroll" role="region" aria-label={t("missing.title")} tabIndex={0}>
          <table class="narrow">
            <thead><tr><th scope="col">{t("missing.target")}</th><th scope="col">{t("missing.where")}</th><th scope="col">{t("missing.sites")}</th><th scope="col">{t("missing.how")}</th></tr></thead>
            <tbody>
              {all.map((one) => {
                const other = Object.values(one.fallbacks).reduce((sum, n) => sum + n, 0);
                return (
                  <tr key={`${one.target} ${one.nextcloud} ${one.app}`}>
                    <th scope="row" class="break">{one.target}</th>
                    <td class="break">{["Nextcloud", one.nextcloud].filter(Boolean).join(" ")}{one.app && ` · ${one.app}`}<br /><span class="muted small">{one.route}</span></td>
                    <td>{number(one.sites)}</td>
                    <td>{[one.absent > 0 && t("missing.absent", { n: one.absent }), other > 0 && t("missing.other", { n: other })].filter(Boolean).join(" · ")}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

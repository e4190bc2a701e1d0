/**
 * The preview in plain words, and the password that starts it.
 *
 * The page shows exactly the plan whose hash is sent: a plan that no longer holds is made again and
 * shown again before anything begins.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Plan, type PlanItem, Problem } from "../api";
import { known, moment, number, sentence, size, span, t } from "../i18n";
import { Dialog, Failure, Notice, Spinner } from "../ui/parts";
import { request } from "./model";
import { Foot, type StepProps } from "./wizard";

/** Items shown at once; a plan can have thousands. */
const SHOWN = 50;
/** Problems that end with the plan being made again. */
const AGAIN = new Set(["stale_plan", "unknown_plan", "blocked"]);

export function Check({ api, draft, back, started }: StepProps & { started(id: string): void }) {
  const [plan, setPlan] = useState<Plan>();
  const [error, setError] = useState<unknown>();
  const [signing, setSigning] = useState(false);
  const [stale, setStale] = useState(false);

  const make = useCallback(() => {
    let current = true;
    setPlan(undefined);
    setError(undefined);
    api.plan(request(draft)).then(
      (made) => current && setPlan(made),
      (failed) => current && setError(failed),
    );
    return () => {
      current = false;
    };
  }, [api, draft]);
  useEffect(make, [make]);

  if (error) {
    return (
      <>
        <Failure error={error} retry={make} />
        <Foot back={back} next={() => {}} label={t("check.start")} disabled />
      </>
    );
  }
  if (!plan) {
    return (
      <>
        <Spinner label={t("check.making")} />
        <Foot back={back} next={() => {}} label={t("check.start")} disabled />
      </>
    );
  }
  const blocked = plan.blocking.length > 0;
  const empty = plan.items.length === 0;
  return (
    <>
      {stale && <Notice tone="warn">{t("check.stale")}</Notice>}
      <Words plan={plan} source={draft.source?.display_name ?? plan.request.source} recipient={draft.recipient?.display_name ?? ""} />
      {blocked && (
        <Notice tone="bad" title={t("check.blocked")}>
          <ul>{plan.blocking.map((block, index) => <li key={index} class="break">{known("block", block.code, block.detail)} <span class="muted">{plan.items.find((item) => item.id === block.item)?.name}</span></li>)}</ul>
        </Notice>
      )}
      {plan.warnings.map((warning) => <Notice key={warning} tone="warn"><span class="break">{sentence(warning)}</span></Notice>)}
      {empty && <Notice tone="warn">{t("check.nothing")}</Notice>}
      <Items plan={plan} />
      {plan.excluded.length > 0 && (
        <details>
          <summary>{t("check.excluded", { n: plan.excluded.length })}</summary>
          <ul>{plan.excluded.slice(0, 200).map((one, index) => <li key={index} class="break"><strong>{one.path}</strong> — {sentence(one.reason)}</li>)}</ul>
        </details>
      )}
      <p class="muted small">{t("check.undo")}</p>
      <Foot back={back} next={() => setSigning(true)} label={t("check.start")} disabled={blocked || empty} hint={blocked ? t("check.unblock") : undefined} />
      {signing && (
        <Sign
          items={plan.items.length}
          source={draft.source?.display_name ?? ""}
          recipient={draft.recipient?.display_name ?? ""}
          onClose={() => setSigning(false)}
          begin={async (password, key) => {
            try {
              started((await api.start(plan.hash, password, key)).id);
            } catch (failed) {
              if (!(failed instanceof Problem) || !AGAIN.has(failed.code)) throw failed;
              setSigning(false);
              setStale(true);
              make();
            }
          }}
        />
      )}
    </>
  );
}

/** What will happen, as one would say it. */
function Words({ plan, source, recipient }: { plan: Plan; source: string; recipient: string }) {
  const files = plan.items.filter((item) => item.kind === "file" || item.kind === "folder");
  const count = (kind: string) => plan.items.filter((item) => item.kind === kind).length;
  const filesCount = files.reduce((sum, item) => sum + item.count, 0);
  const bytes = files.reduce((sum, item) => sum + item.size, 0);
  const lines = [
    filesCount > 0 && t("check.words.files", { n: filesCount, size: size(bytes) }),
    count("calendar") > 0 && t("check.words.calendars", { n: count("calendar") }),
    count("address_book") > 0 && t("check.words.address_books", { n: count("address_book") }),
  ].filter((line): line is string => line !== false);
  return (
    <div class="field">
      <p>{t("check.words", { source, recipient })}</p>
      <ul>{lines.map((line) => <li key={line}>{line}</li>)}</ul>
      <p class="muted">
        {t("check.time", { time: span(Math.max(1, plan.estimate.seconds)) })}
        {plan.request.when && ` ${t("check.when", { time: moment(plan.request.when) })}`}
      </p>
    </div>
  );
}

function Items({ plan }: { plan: Plan }) {
  const [all, setAll] = useState(false);
  const shown = all ? plan.items : plan.items.slice(0, SHOWN);
  return (
    <section class="field">
      <h2>{t("check.items")}</h2>
      <ul class="things">{shown.map((item) => <Item key={item.id} item={item} />)}</ul>
      {shown.length < plan.items.length && (
        <button type="button" class="button" onClick={() => setAll(true)}>{t("check.all", { n: plan.items.length })}</button>
      )}
    </section>
  );
}

function Item({ item }: { item: PlanItem }) {
  const of = item.kind === "file" || item.kind === "folder" ? t("count.files", { n: item.count }) : t("count.entries", { n: item.count });
  const remade = item.shares?.filter((share) => share.becomes === "remade").length ?? 0;
  const lost = item.shares?.filter((share) => share.becomes === "lost").length ?? 0;
  return (
    <li>
      <div class="row apart">
        <strong class="break grow">{item.name}</strong>
        <span class="badge">{t(`kind.${item.kind}`)}</span>
      </div>
      <span class="muted small break">
        {of}{item.size > 0 && ` · ${size(item.size)}`} → {item.recipient}: {item.destination}
      </span>
      {item.lost.map((text) => <span key={text} class="lost small">{sentence(text)}</span>)}
      {remade > 0 && <span class="lost small">{t("check.remade", { n: remade })}</span>}
      {lost > 0 && <span class="lost small">{t("check.sharesLost", { n: lost })}</span>}
      {item.kept.length > 0 && (
        <details class="small">
          <summary>{t("check.kept", { n: item.kept.length })}</summary>
          <ul class="plainlist">{item.kept.map((text) => <li key={text} class="kept">{sentence(text)}</li>)}</ul>
          <p class="muted">{sentence(item.reason)}</p>
        </details>
      )}
    </li>
  );
}

/** Asks for the password of whoever starts it. */
function Sign(props: { items: number; source: string; recipient: string; onClose(): void; begin(password: string, key: string): Promise<void> }) {
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  // One key for all tries of this dialog: pressing twice starts one transfer.
  const key = useRef(crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`);
  const submit = (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    props.begin(password, key.current).catch((failed) => {
      setError(failed);
      setPassword("");
      setBusy(false);
    });
  };
  return (
    <Dialog title={t("sign.title")} onClose={props.onClose}>
      <form onSubmit={submit}>
        <p class="break">{t("sign.words", { items: number(props.items), source: props.source, recipient: props.recipient })}</p>
        <div class="field">
          <label for="password">{t("sign.password")}</label>
          <input id="password" class="input" type="password" autocomplete="current-password" required value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </div>
        {error !== undefined && <Failure error={error} />}
        <div class="row end">
          <button type="button" class="button plain" onClick={props.onClose}>{t("cancel")}</button>
          <button type="submit" class="button primary" disabled={busy || password === ""}>{busy ? t("sign.busy") : t("sign.start")}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** One hand-over: its progress while it runs, its receipt when it is over. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Api, type ItemProgress, Problem, type Transfer as Job, type TransferEvent } from "../api";
import { list, moment, number, sentence, size, span, t } from "../i18n";
import { link } from "../route";
import { Dialog, Failure, Heading, Notice, Spinner } from "../ui/parts";
import { ReceiptView } from "./receipt";
import { StateBadge, isOver, share } from "./state";

/** The list of items is asked for again at most this often, milliseconds. */
const REFRESH = 1500;
const SHOWN = 100;

type Action = "pause" | "resume" | "cancel" | "undo" | "approve";

export function Transfer({ api, id, home }: { api: Api; id: string; home: string[] }) {
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<unknown>();
  const [asked, setAsked] = useState<Action>();

  const load = useCallback(() => api.transfer(id).then((found) => { setJob(found); setError(undefined); }, setError), [api, id]);
  const follow = useFollower(api, id, load, setJob);
  useEffect(() => void load(), [load]);

  if (!job) return error === undefined ? <Spinner /> : <section class="card"><Failure error={error} retry={() => void load()} /></section>;
  const over = isOver(job.state);
  const act = (action: Action) => (action === "pause" || action === "resume" ? void api.act(id, action).then(load, setError) : setAsked(action));
  return (
    <>
      <section class="card">
        <div class="row apart">
          <Heading>{t("transfer.of", { source: job.source, recipients: list(job.recipients) })}</Heading>
          <StateBadge state={job.state} />
        </div>
        <p class="muted small">
          {moment(job.created_at)} · {t("transfer.by", { who: job.by })}
          {job.approved_by && ` · ${t("transfer.approvedBy", { who: job.approved_by })}`}
          {job.begins_at && ` · ${t("transfer.begins", { time: moment(job.begins_at) })}`}
        </p>
        {error !== undefined && <Failure error={error} />}
        {job.note && <Notice tone={job.state === "failed" || job.state === "undo_failed" ? "bad" : "info"}><span class="break">{sentence(job.note)}</span></Notice>}
        {!over && <Running job={job} rate={follow.rate} text={follow.text} />}
        <Actions job={job} act={act} />
        {!over && <p class="muted small">{t("transfer.close")}</p>}
        <p class="no-print"><a {...link(...home)}>{t("transfer.all")}</a></p>
      </section>
      {over ? <ReceiptView api={api} id={id} state={job.state} /> : <Items items={job.items} />}
      {asked && (
        <Confirm
          action={asked}
          onClose={() => setAsked(undefined)}
          run={async (password) => {
            await api.act(id, asked, password);
            setAsked(undefined);
            await load();
            follow.again();
          }}
        />
      )}
    </>
  );
}

/** Follows the events of a transfer: state and numbers at once, the items a little later. */
function useFollower(api: Api, id: string, load: () => Promise<void>, setJob: (change: (job: Job | undefined) => Job | undefined) => void) {
  const [text, setText] = useState("");
  const [rate, setRate] = useState(0);
  const [round, setRound] = useState(0);
  const begun = useRef<{ at: number; share: number } | null>(null);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const on = (event: TransferEvent) => {
      setText(event.text);
      setJob((job) => job && { ...job, state: event.state, progress: event.progress });
      const now = { at: performance.now(), share: share(event.progress) };
      begun.current ??= now;
      const seconds = (now.at - begun.current.at) / 1000;
      if (seconds > 2) setRate((now.share - begun.current.share) / seconds);
      timer ??= setTimeout(() => {
        timer = undefined;
        void load();
      }, isOver(event.state) ? 0 : REFRESH);
    };
    api.events(id, on, stop.signal).catch((failed) => {
      // The list stays as it is; the page says so when something is asked of it.
      if (!(failed instanceof Problem)) throw failed;
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [api, id, load, setJob, round]);
  return { text, rate, again: () => setRound((n) => n + 1) };
}

function Running({ job, rate, text }: { job: Job; rate: number; text: string }) {
  const done = share(job.progress);
  const left = rate > 0 ? (1 - done) / rate : undefined;
  const { objects, objects_done, bytes, bytes_done } = job.progress;
  return (
    <div class="field">
      <div class="row apart">
        <span class="big">{Math.floor(done * 100)} %</span>
        <span class="muted">{left !== undefined && left > 1 && job.state === "running" ? t("transfer.left", { time: span(left) }) : ""}</span>
      </div>
      <progress max={1} value={done} aria-label={t("progress")} />
      <span class="muted small">
        {t("transfer.counts", { done: number(objects_done), all: number(objects) })}
        {bytes > 0 && ` · ${size(bytes_done)} / ${size(bytes)}`}
      </span>
      <span class="small break" aria-live="polite">{sentence(text)}</span>
    </div>
  );
}

function Actions({ job, act }: { job: Job; act(action: Action): void }) {
  const can: Record<Action, boolean> = {
    approve: job.state === "awaiting",
    pause: job.state === "running" || job.state === "queued",
    resume: job.state === "paused" || job.state === "failed",
    cancel: ["awaiting", "queued", "running", "paused"].includes(job.state),
    undo: ["done", "failed", "cancelled", "undo_failed"].includes(job.state) && (!job.undo_until || Date.parse(job.undo_until) > Date.now()),
  };
  const shown = (Object.keys(can) as Action[]).filter((action) => can[action]);
  if (shown.length === 0) return null;
  return (
    <div class="row no-print">
      {shown.map((action) => (
        <button key={action} type="button" class={`button ${action === "approve" ? "primary" : action === "cancel" || action === "undo" ? "danger" : ""}`} onClick={() => act(action)}>
          {t(`action.${action}`)}
        </button>
      ))}
      {can.undo && job.undo_until && <span class="muted small">{t("transfer.undoUntil", { time: moment(job.undo_until) })}</span>}
    </div>
  );
}

function Items({ items }: { items: ItemProgress[] }) {
  // What needs a look comes first, then what moves, then the rest.
  const order = { failed: 0, running: 1, kept: 2, pending: 3, done: 4, undone: 5 };
  const sorted = [...items].sort((a, b) => order[a.state] - order[b.state] || a.id - b.id);
  return (
    <section class="card">
      <h2>{t("transfer.items", { n: items.length })}</h2>
      <ul class="things">
        {sorted.slice(0, SHOWN).map((item) => (
          <li key={item.id}>
            <div class="row apart">
              <span class="break grow">{item.name} <span class="muted small">{t(`kind.${item.kind}`)}</span></span>
              <span class={`badge ${item.state === "failed" ? "bad" : item.state === "done" ? "good" : ""}`}>{t(`item.${item.state}`)}</span>
            </div>
            {item.error && <span class="small break">{sentence(item.error)}</span>}
          </li>
        ))}
      </ul>
      {sorted.length > SHOWN && <p class="muted">{t("transfer.moreItems", { n: sorted.length - SHOWN })}</p>}
    </section>
  );
}

/** Asks again before what cannot be taken back easily, with the password. */
function Confirm({ action, onClose, run }: { action: Action; onClose(): void; run(password: string): Promise<void> }) {
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    run(password).catch((failed) => {
      setError(failed);
      setPassword("");
      setBusy(false);
    });
  };
  return (
    <Dialog title={t(`confirm.${action}` as Parameters<typeof t>[0])} onClose={onClose}>
      <form onSubmit={submit}>
        <p>{t(`confirm.${action}.words` as Parameters<typeof t>[0])}</p>
        <div class="field">
          <label for="confirm-password">{t("sign.password")}</label>
          <input id="confirm-password" class="input" type="password" autocomplete="current-password" required value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </div>
        {error !== undefined && <Failure error={error} />}
        <div class="row end">
          <button type="button" class="button plain" onClick={onClose}>{t("back")}</button>
          <button type="submit" class={`button ${action === "approve" ? "primary" : "danger"}`} disabled={busy || password === ""}>{t(`action.${action}`)}</button>
        </div>
      </form>
    </Dialog>
  );
}

/** One hand-over: its progress while it runs, its receipt when it is over. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Action, type Api, type ItemProgress, Problem, type Transfer as Job, type TransferEvent } from "../api";
import { list, moment, number, said, sentence, size, span, t } from "../i18n";
import { link } from "../route";
import { Confirm, Failure, Heading, Notice, Spinner } from "../ui/parts";
import { called, nameOf, useMe } from "../who";
import { PlanView } from "./plan";
import { ReceiptView } from "./receipt";
import { StateBadge, isOver, share } from "./state";

/** The list of items is asked for again at most this often, milliseconds. */
const REFRESH = 1500;
const SHOWN = 100;
/** What takes something back. */
const DANGER: ReadonlySet<Action> = new Set<Action>(["cancel", "undo", "decline"]);

export function Transfer({ api, id, home }: { api: Api; id: string; home: string[] }) {
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<unknown>();
  const [asked, setAsked] = useState<Action>();
  const me = useMe();

  const load = useCallback(() => api.transfer(id).then((found) => { setJob(found); setError(undefined); }, setError), [api, id]);
  const follow = useFollower(api, id, load, setJob, setError);
  useEffect(() => void load(), [load]);

  if (!job) return error === undefined ? <Spinner /> : <section class="card"><Failure error={error} retry={() => void load()} /></section>;
  const over = isOver(job.state);
  const isOwn = job.by === nameOf(me);
  return (
    <>
      <section class="card">
        <div class="row apart">
          <Heading>{t("transfer.of", { source: job.source, recipients: list(job.recipients) })}</Heading>
          <StateBadge state={job.state} />
        </div>
        <p class="muted small">
          {moment(job.created_at)} · {t("transfer.by", { who: called(job.by) })}
          {job.approved_by && ` · ${t("transfer.approvedBy", { who: called(job.approved_by) })}`}
          {job.begins_at && ` · ${t("transfer.begins", { time: moment(job.begins_at) })}`}
        </p>
        {error !== undefined && <Failure error={error} retry={() => void load()} />}
        {job.note && <Notice tone={job.state === "failed" || job.state === "undo_failed" ? "bad" : "info"}><span class="break">{said(job.note)}</span></Notice>}
        {job.state === "awaiting" && <Notice tone="warn" title={t(isOwn ? "awaiting.own" : "awaiting.other")}>{t(isOwn ? "awaiting.own.words" : "awaiting.other.words")}</Notice>}
        {!over && job.state !== "awaiting" && <Running job={job} rate={follow.rate} text={follow.text} />}
        <Actions job={job} isOwn={isOwn} act={setAsked} />
        {!over && job.state !== "awaiting" && <p class="muted small">{t("transfer.close")}</p>}
        <p class="no-print"><a {...link(...home)}>{t("transfer.all")}</a></p>
      </section>
      {job.state === "awaiting" && <PlanView plan={job.plan} />}
      {over ? <ReceiptView api={api} id={id} state={job.state} /> : job.state !== "awaiting" && <Items items={job.items} />}
      {asked && (
        <Ask
          action={asked}
          onClose={() => setAsked(undefined)}
          run={async (password, why) => {
            await api.act(id, asked, password, why);
            setAsked(undefined);
            await load();
            follow.again();
          }}
        />
      )}
    </>
  );
}

/** What is done to a hand-over is asked once more; who declines says why. */
function Ask({ action, onClose, run }: { action: Action; onClose(): void; run(password: string, why: string): Promise<void> }) {
  const me = useMe();
  const [why, setWhy] = useState("");
  return (
    <Confirm
      title={t(`confirm.${action}`)}
      action={t(`action.${action}`)}
      tone={DANGER.has(action) ? "danger" : "primary"}
      password={me.door === "space"}
      ready={action !== "decline" || why.trim() !== ""}
      onClose={onClose}
      run={(password) => run(password, why.trim())}
    >
      <p>{t(`confirm.${action}.words`)}</p>
      {action === "decline" && (
        <div class="field">
          <label for="why">{t("decline.why")}</label>
          <textarea id="why" class="input" rows={3} maxLength={500} required value={why} onInput={(event) => setWhy(event.currentTarget.value)} />
        </div>
      )}
    </Confirm>
  );
}

/** Follows the events of a transfer: state and numbers at once, the items a little later. */
function useFollower(api: Api, id: string, load: () => Promise<void>, setJob: (change: (job: Job | undefined) => Job | undefined) => void, setError: (error: unknown) => void) {
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
      // Nobody may look any more: what stands there stays, with the way back in.
      if (!(failed instanceof Problem)) throw failed;
      setError(failed);
    });
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [api, id, load, setJob, setError, round]);
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
      <span class="small break" aria-live="polite">{said(text)}</span>
    </div>
  );
}

function Actions({ job, isOwn, act }: { job: Job; isOwn: boolean; act(action: Action): void }) {
  const { scopes } = useMe();
  const may = scopes.includes("transfer");
  const decides = job.state === "awaiting" && !isOwn && scopes.includes("approve");
  // Of what never began, nothing can be put back.
  const began = job.state !== "cancelled" || job.items.some((item) => item.state !== "pending");
  const can: Record<Action, boolean> = {
    approve: decides,
    decline: decides,
    pause: may && (job.state === "running" || job.state === "queued"),
    resume: may && (job.state === "paused" || job.state === "failed"),
    cancel: may && (["queued", "running", "paused"].includes(job.state) || (job.state === "awaiting" && isOwn)),
    undo: may && began && ["done", "failed", "cancelled", "undo_failed"].includes(job.state) && (!job.undo_until || Date.parse(job.undo_until) > Date.now()),
  };
  const shown = (Object.keys(can) as Action[]).filter((action) => can[action]);
  if (shown.length === 0) return null;
  const tone = (action: Action) => (DANGER.has(action) ? "danger" : action === "approve" || action === "resume" ? "primary" : "");
  return (
    <div class="row no-print">
      {shown.map((action) => (
        <button key={action} type="button" class={`button ${tone(action)}`} onClick={() => act(action)}>
          {t(action === "resume" && job.state === "failed" ? "action.again" : `action.${action}`)}
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
            {item.error && <span class="small break">{t("item.said", { text: sentence(item.error) })}</span>}
          </li>
        ))}
      </ul>
      {sorted.length > SHOWN && <p class="muted">{t("transfer.moreItems", { n: sorted.length - SHOWN })}</p>}
    </section>
  );
}

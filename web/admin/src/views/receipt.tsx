/** The verified result of a hand-over, to read, print or keep. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api, ItemReceipt, Receipt, State } from "../api";
import { moment, number, said, sentence, size, t } from "../i18n";
import { Failure, Notice, Spinner, save } from "../ui/parts";

const SHOWN = 200;

export function ReceiptView({ api, id, state }: { api: Api; id: string; state: State }) {
  const [receipt, setReceipt] = useState<Receipt>();
  const [error, setError] = useState<unknown>();
  const load = useCallback(() => {
    setError(undefined);
    api.receipt(id).then(setReceipt, setError);
  }, [api, id]);
  // A transfer that was resumed or undone has another receipt.
  useEffect(load, [load, state]);

  if (error !== undefined) return <section class="card"><Failure error={error} retry={load} /></section>;
  if (!receipt) return <section class="card"><Spinner /></section>;
  const failed = receipt.items.filter((item) => item.state === "failed" || item.state === "kept");
  // They stand at their items already.
  const errors = new Set(failed.map((item) => `${item.name}: ${item.error ?? ""}`));
  return (
    <section class="card" aria-labelledby="receipt">
      <div class="row apart">
        <h2 id="receipt">{t("receipt.title")}</h2>
        <span class="row no-print">
          <button type="button" class="button" onClick={() => print()}>{t("receipt.print")}</button>
          <button type="button" class="button" onClick={() => save(new Blob([JSON.stringify(receipt, null, 2)], { type: "application/json" }), `passeur-receipt-${receipt.id}.json`)}>{t("receipt.save")}</button>
        </span>
      </div>
      {receipt.state === "done" && <Notice tone="good" title={t("receipt.done")}>{t("receipt.verified")}</Notice>}
      {receipt.state === "undone" && <Notice tone="good">{t("receipt.undone")}</Notice>}
      {failed.length > 0 && <Notice tone="bad" title={t("receipt.failed", { n: failed.length })}>{t("receipt.failed.words")}</Notice>}
      {receipt.notes.filter((note) => !errors.has(note)).map((note) => <Notice key={note} tone="warn"><span class="break">{said(note)}</span></Notice>)}
      <ul class="things">{[...failed, ...receipt.items.filter((item) => !failed.includes(item))].slice(0, SHOWN).map((item) => <Item key={item.id} item={item} />)}</ul>
      {receipt.items.length > SHOWN && <p class="muted">{t("receipt.more", { n: receipt.items.length - SHOWN })}</p>}
      <p class="muted small break">
        {receipt.ended_at && t("receipt.ended", { time: moment(receipt.ended_at) })} · {receipt.id}
      </p>
    </section>
  );
}

function Item({ item }: { item: ItemReceipt }) {
  const changed = item.shares.filter((share) => share.outcome !== "kept");
  return (
    <li>
      <div class="row apart">
        <strong class="break grow">{item.name}</strong>
        <span class={`badge ${item.state === "failed" || item.state === "kept" ? "bad" : "good"}`}>{t(`item.${item.state}`)}</span>
      </div>
      <span class="muted small break">{item.from} → {item.recipient}: {item.to}</span>
      {item.error && <span class="break">{t("item.said", { text: sentence(item.error) })}</span>}
      {item.check && (
        <span class="kept small">
          {t("receipt.check", { n: item.check.count_after, before: number(item.check.count_before) })}
          {item.check.size_after > 0 && ` · ${size(item.check.size_after)}`}
        </span>
      )}
      {item.lost.length > 0 && <strong class="small">{t("item.lost")}</strong>}
      {item.lost.map((text) => <span key={text} class="lost small">{sentence(text)}</span>)}
      {item.kept.length > 0 && (
        <details class="small">
          <summary>{t("receipt.kept", { n: item.kept.length })}</summary>
          <ul class="plainlist">{item.kept.map((text) => <li key={text} class="kept">{sentence(text)}</li>)}</ul>
        </details>
      )}
      {changed.length > 0 && (
        <details class="small" open={changed.length <= 5}>
          <summary>{t("receipt.shares", { n: changed.length })}</summary>
          <ul>
            {changed.map((share, index) => (
              <li key={index} class="break">
                {share.path} · {t(`share.${share.kind}`)} {share.with} · {t(`outcome.${share.outcome}`)}
                {share.link && <> <br />{t("receipt.link", { old: share.link.old, new: share.link.new ?? "–" })}</>}
                {share.note && <> <br />{sentence(share.note)}</>}
              </li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

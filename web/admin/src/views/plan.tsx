/** A plan in plain words: what will happen, what is lost, what blocks, and each item. */
import { useState } from "preact/hooks";
import type { Plan, PlanItem } from "../api";
import { known, moment, said, sentence, size, span, t } from "../i18n";
import { Notice } from "../ui/parts";

/** Items shown at once; a plan can have thousands. */
const SHOWN = 50;

/** Names that people know accounts by, where they are known. */
export type Names = Record<string, string>;

export function PlanView({ plan, names = {} }: { plan: Plan; names?: Names }) {
  return <section class="card"><PlanParts plan={plan} names={names} /></section>;
}

export function PlanParts({ plan, names }: { plan: Plan; names: Names }) {
  return (
    <>
      <Words plan={plan} names={names} />
      {plan.blocking.length > 0 && (
        <Notice tone="bad" title={t("check.blocked")}>
          <ul>{plan.blocking.map((block, index) => <li key={index} class="break">{known("block", block.code, block.detail)} <span class="muted">{plan.items.find((item) => item.id === block.item)?.name}</span></li>)}</ul>
        </Notice>
      )}
      {plan.warnings.map((warning) => <Notice key={warning} tone="warn"><span class="break">{said(warning)}</span></Notice>)}
      {plan.items.length === 0 && <Notice tone="warn">{t("check.nothing")}</Notice>}
      <Items plan={plan} names={names} />
      {plan.excluded.length > 0 && (
        <details>
          <summary>{t("check.excluded", { n: plan.excluded.length })}</summary>
          <ul>{plan.excluded.slice(0, 200).map((one, index) => <li key={index} class="break"><strong>{one.path}</strong> — {sentence(one.reason)}</li>)}</ul>
        </details>
      )}
    </>
  );
}

/** What will happen, as one would say it: a list for each recipient. */
function Words({ plan, names }: { plan: Plan; names: Names }) {
  const recipients = [...new Set(plan.items.map((item) => item.recipient))];
  const source = names[plan.request.source] ?? plan.request.source;
  return (
    <div class="field">
      {recipients.map((recipient) => (
        <div key={recipient}>
          <p>{t("check.words", { source, recipient: names[recipient] ?? recipient })}</p>
          <ul>{sums(plan.items.filter((item) => item.recipient === recipient)).map((line) => <li key={line}>{line}</li>)}</ul>
        </div>
      ))}
      <p class="muted">
        {t("check.time", { time: span(Math.max(1, plan.estimate.seconds)) })}
        {plan.request.when && ` ${t("check.when", { time: moment(plan.request.when) })}`}
      </p>
    </div>
  );
}

/** How much of each kind there is. */
function sums(items: PlanItem[]): string[] {
  const files = items.filter((item) => item.kind === "file" || item.kind === "folder");
  const count = files.reduce((sum, item) => sum + item.count, 0);
  const bytes = files.reduce((sum, item) => sum + item.size, 0);
  const kinds = [...new Set(items.map((item) => item.kind))].filter((kind) => kind !== "file" && kind !== "folder");
  const lines = kinds.map((kind) => t(`check.words.${kind}`, { n: items.filter((item) => item.kind === kind).length }));
  return files.length > 0 ? [t("check.words.files", { n: count, size: size(bytes) }), ...lines] : lines;
}

function Items({ plan, names }: { plan: Plan; names: Names }) {
  const [all, setAll] = useState(false);
  const shown = all ? plan.items : plan.items.slice(0, SHOWN);
  return (
    <section class="field">
      <h2>{t("check.items")}</h2>
      <ul class="things">{shown.map((item) => <Item key={item.id} item={item} names={names} />)}</ul>
      {shown.length < plan.items.length && (
        <button type="button" class="button" onClick={() => setAll(true)}>{t("check.all", { n: plan.items.length })}</button>
      )}
    </section>
  );
}

function Item({ item, names }: { item: PlanItem; names: Names }) {
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
        {of}{item.size > 0 && ` · ${size(item.size)}`} → {names[item.recipient] ?? item.recipient}: {item.destination}
      </span>
      {(item.lost.length > 0 || remade > 0 || lost > 0) && <strong class="small">{t("item.lost")}</strong>}
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

/** What is handed over: a tree of files, calendars, address books; and what cannot be. */
import { useCallback, useMemo, useState } from "preact/hooks";
import type { Collection } from "../api";
import { sentence, size, t } from "../i18n";
import { Check, Failure, Notice, Spinner } from "../ui/parts";
import { Selection } from "../ui/selection";
import { Tree } from "../ui/tree";
import { isNothing } from "./model";
import { Foot, type StepProps } from "./wizard";

export function What({ api, draft, inventory, change, next, back, error, again }: StepProps & { error: unknown; again(): void }) {
  const [filter, setFilter] = useState("");
  const uid = draft.source?.uid ?? "";
  const files = useMemo(() => Selection.of(draft.files.include, draft.files.exclude), [draft.files]);
  const load = useCallback((path: string, offset: number, search: string) => api.folder(uid, path, offset, search), [api, uid]);
  const choose = (selection: Selection) => change({ files: selection.paths() });
  const mark = files.mark("");

  if (error) {
    return (
      <>
        <Failure error={error} retry={again} />
        <Foot back={back} next={next} disabled />
      </>
    );
  }
  if (!inventory) {
    return (
      <>
        <Spinner label={t("what.loading", { name: draft.source?.display_name ?? "" })} />
        <Foot back={back} next={next} disabled />
      </>
    );
  }
  return (
    <>
      <p class="muted">{t("what.intro", { name: inventory.account.display_name })}</p>
      <section class="field" aria-labelledby="files-title">
        <h2 id="files-title">{t("kind.files")}</h2>
        {inventory.files.size != null && <p class="muted small">{size(inventory.files.size)}</p>}
        <div class="row apart">
          <Check checked={mark === "on"} some={mark === "some"} onChange={(on) => choose(on ? Selection.everything : Selection.nothing)}>
            {t("what.allFiles")}
            {mark === "some" && <span class="muted"> · {t("what.someFiles")}</span>}
          </Check>
          <input class="input grow" type="search" value={filter} placeholder={t("what.filter")} aria-label={t("what.filter")} onInput={(event) => setFilter(event.currentTarget.value)} />
        </div>
        {filter && <p class="muted small">{t("what.filter.hint")}</p>}
        <Tree label={t("kind.files")} selection={files} onChange={choose} load={load} filter={filter} />
      </section>
      <Collections title={t("kind.calendars")} all={inventory.calendars} chosen={draft.calendars} onChange={(calendars) => change({ calendars })} />
      <Collections title={t("kind.address_books")} all={inventory.address_books} chosen={draft.addressBooks} onChange={(addressBooks) => change({ addressBooks })} />
      {inventory.excluded.length > 0 && (
        <details>
          <summary>{t("what.excluded", { n: inventory.excluded.length })}</summary>
          <ul>
            {inventory.excluded.map(({ path, reason }) => (
              <li key={path + reason} class="break"><strong>{path}</strong> — {sentence(reason)}</li>
            ))}
          </ul>
        </details>
      )}
      {isNothing(draft) && <Notice tone="warn">{t("what.nothing")}</Notice>}
      <Foot back={back} next={next} disabled={isNothing(draft)} />
    </>
  );
}

function Collections({ title, all, chosen, onChange }: { title: string; all: Collection[]; chosen: string[] | null; onChange(chosen: string[] | null): void }) {
  if (all.length === 0) return null;
  const isOn = (uri: string) => chosen === null || chosen.includes(uri);
  const set = (uri: string, on: boolean) => {
    const now = all.map((one) => one.uri).filter((other) => (other === uri ? on : isOn(other)));
    onChange(now.length === all.length ? null : now);
  };
  return (
    <fieldset>
      <legend><h2>{title}</h2></legend>
      {all.map((one) => (
        <Check key={one.uri} checked={isOn(one.uri)} onChange={(on) => set(one.uri, on)}>
          <span class="break">{one.name}</span> <span class="muted small">{t("count.entries", { n: one.count })}</span>{" "}
          {one.shared && <span class="badge">{t("tree.shared")}</span>}{" "}
          {one.meetings ? <span class="badge warn">{t("what.meetings", { n: one.meetings })}</span> : null}
        </Check>
      ))}
    </fieldset>
  );
}

/** The way of a hand-over until it starts: who, what, to whom, check. One step at a time. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api, Inventory } from "../api";
import { t } from "../i18n";
import { go } from "../route";
import { Heading } from "../ui/parts";
import { Check } from "./check";
import { type Draft, STEPS, type Step, empty, forget, load, save } from "./model";
import { To } from "./to";
import { What } from "./what";
import { Who } from "./who";

export interface StepProps {
  api: Api;
  draft: Draft;
  inventory?: Inventory;
  change(part: Partial<Draft>): void;
  next(): void;
  back(): void;
}

export function Wizard({ api, home }: { api: Api; home: string[] }) {
  const site = api.siteName;
  const [draft, setDraft] = useState<Draft>(() => load(site));
  const [inventory, setInventory] = useState<Inventory>();
  const [error, setError] = useState<unknown>();

  useEffect(() => save(site, draft), [site, draft]);

  const change = useCallback((part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part })), []);
  const uid = draft.source?.uid;
  const ask = useCallback(() => {
    setInventory(undefined);
    setError(undefined);
    if (uid === undefined) return;
    let current = true;
    api.inventory(uid).then(
      (found) => current && setInventory(found),
      (failed) => current && setError(failed),
    );
    return () => {
      current = false;
    };
  }, [api, uid]);
  useEffect(ask, [ask]);

  const step = reachable(draft);
  const at = STEPS.indexOf(step);
  const goTo = (to: Step | undefined) => {
    if (to) change({ step: to });
    scrollTo(0, 0);
  };
  const props: StepProps = {
    api,
    draft,
    inventory,
    change,
    next: () => goTo(STEPS[at + 1]),
    back: () => (at === 0 ? go(...home) : goTo(STEPS[at - 1])),
  };
  const started = (id: string) => {
    forget(site);
    setDraft(empty);
    go(...home, "transfers", id);
  };

  return (
    <>
      <Heading key={step}>{t(`step.${step}.title`)}</Heading>
      <ol class="steps" aria-label={t("steps")}>
        {STEPS.map((name, index) => (
          <li key={name} class={index < at ? "past" : ""} aria-current={name === step ? "step" : undefined}>
            {t(`step.${name}`)}
            {index < at && <span class="sr"> {t("step.done")}</span>}
          </li>
        ))}
      </ol>
      <section class="card">
        {step === "who" && <Who {...props} />}
        {step === "what" && <What {...props} error={error} again={ask} />}
        {step === "to" && <To {...props} />}
        {step === "check" && <Check {...props} started={started} />}
      </section>
    </>
  );
}

/** The step of a draft, or the first that is not answered yet. */
function reachable(draft: Draft): Step {
  if (!draft.source) return "who";
  if (draft.step === "check" && !draft.recipient) return "to";
  return draft.step;
}

/** The buttons below a step. */
export function Foot({ back, next, label, disabled, hint }: { back(): void; next(): void; label?: string; disabled?: boolean; hint?: string }) {
  return (
    <div class="foot row apart">
      <button type="button" class="button plain" onClick={back}>{t("back")}</button>
      {hint && <span class="muted small grow" role="status">{hint}</span>}
      <button type="button" class="button primary" disabled={disabled} onClick={next}>{label ?? t("next")}</button>
    </div>
  );
}

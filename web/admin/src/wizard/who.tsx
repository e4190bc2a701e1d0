/** Whose things are handed over. */
import { t } from "../i18n";
import { AccountField, Person } from "../ui/account";
import { empty } from "./model";
import { Foot, type StepProps } from "./wizard";

export function Who({ api, draft, change, next, back }: StepProps) {
  return (
    <>
      <p class="muted">{t("who.intro")}</p>
      {draft.source ? (
        <Person account={draft.source} action={<button type="button" class="button" onClick={() => change({ ...empty })}>{t("change")}</button>} />
      ) : (
        <AccountField api={api} autofocus label={t("who.label")} onChoose={(source) => change({ ...empty, source })} />
      )}
      {draft.source && !draft.source.enabled && <p class="muted small">{t("who.disabled")}</p>}
      <Foot back={back} next={() => next()} disabled={!draft.source} />
    </>
  );
}

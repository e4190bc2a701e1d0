/**
 * The preview in plain words, and the password that starts it.
 *
 * The page shows exactly the plan whose hash is sent: a plan that no longer holds is made again and
 * shown again before anything begins.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Plan, Problem } from "../api";
import { list, t } from "../i18n";
import { Confirm, Failure, Notice, Spinner } from "../ui/parts";
import { type Names, PlanParts } from "../views/plan";
import { useMe } from "../who";
import { request } from "./model";
import { Foot, type StepProps } from "./wizard";

/** Problems that end with the plan being made again. */
const AGAIN = new Set(["stale_plan", "unknown_plan", "blocked"]);

export function Check({ api, draft, back, started }: StepProps & { started(id: string): void }) {
  const [plan, setPlan] = useState<Plan>();
  const [error, setError] = useState<unknown>();
  const [signing, setSigning] = useState(false);
  const [stale, setStale] = useState(false);
  const me = useMe();
  // One key for all tries of this draft: pressing twice, or again after a lost answer, starts one transfer.
  const key = useRef(crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`);
  const names = useMemo<Names>(() => {
    const accounts = [draft.source, draft.recipient, ...Object.values(draft.others)];
    return Object.fromEntries(accounts.flatMap((account) => (account ? [[account.uid, account.display_name]] : [])));
  }, [draft]);

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
  const approval = me.sites.find((site) => site.name === plan.site)?.approval ?? false;
  const label = t(approval ? "check.submit" : "check.start");
  const { [plan.request.source]: source = "", ...recipients } = names;
  return (
    <>
      {stale && <Notice tone="warn">{t("check.stale")}</Notice>}
      <PlanParts plan={plan} names={names} />
      <p class="muted small">{t("check.undo")}{approval && ` ${t("check.approval")}`}</p>
      <Foot back={back} next={() => setSigning(true)} label={label} disabled={blocked || plan.items.length === 0} hint={blocked ? t("check.unblock") : undefined} />
      {signing && (
        <Confirm
          title={t(me.door === "space" ? "sign.title" : "sign.sure")}
          action={t(approval ? "check.submit" : "sign.start")}
          password={me.door === "space"}
          onClose={() => setSigning(false)}
          run={async (password) => {
            try {
              started((await api.start(plan.hash, password, key.current)).id);
            } catch (failed) {
              if (!(failed instanceof Problem) || !AGAIN.has(failed.code)) throw failed;
              setSigning(false);
              setStale(true);
              make();
            }
          }}
        >
          <p class="break">{t("sign.words", { n: plan.items.length, source, recipient: list(Object.values(recipients)) })}</p>
        </Confirm>
      )}
    </>
  );
}

/** Who receives it; options with good defaults are folded away. */
import { useState } from "preact/hooks";
import type { Account, Api } from "../api";
import { t } from "../i18n";
import { AccountField, Person } from "../ui/account";
import { Check, Choice } from "../ui/parts";
import type { Options, Thing } from "./model";
import { Foot, type StepProps } from "./wizard";

export function To({ api, draft, inventory, change, next, back }: StepProps) {
  const [single, setSingle] = useState(Object.keys(draft.others).length > 0);
  const not = { [draft.source?.uid ?? ""]: t("to.isSource") };
  const set = (part: Partial<Options>) => change({ options: { ...draft.options, ...part } });
  const things = [
    ...(draft.files.include.length > 0 ? [{ thing: "files", name: t("kind.files") }] : []),
    ...(inventory?.calendars ?? [])
      .filter(({ uri }) => draft.calendars === null || draft.calendars.includes(uri))
      .map(({ uri, name }) => ({ thing: `calendar:${uri}`, name: t("to.calendar", { name }) })),
    ...(inventory?.address_books ?? [])
      .filter(({ uri }) => draft.addressBooks === null || draft.addressBooks.includes(uri))
      .map(({ uri, name }) => ({ thing: `address_book:${uri}`, name: t("to.address_book", { name }) })),
  ];
  return (
    <>
      <p class="muted">{t("to.intro")}</p>
      {draft.recipient ? (
        <Person account={draft.recipient} action={<button type="button" class="button" onClick={() => change({ recipient: undefined })}>{t("change")}</button>} />
      ) : (
        <AccountField api={api} autofocus label={t("to.label")} not={not} onChoose={(recipient) => change({ recipient })} />
      )}
      {things.length > 1 && (
        <Check
          checked={single}
          onChange={(on) => {
            setSingle(on);
            if (!on) change({ others: {} });
          }}
        >
          {t("to.several")}
        </Check>
      )}
      {single && <Others api={api} things={things} not={not} others={draft.others} onChange={(others) => change({ others })} />}
      <details>
        <summary>{t("options")}</summary>
        <OptionFields options={draft.options} set={set} />
      </details>
      <Foot back={back} next={next} label={t("to.check")} disabled={!draft.recipient} />
    </>
  );
}

interface OthersProps {
  api: Api;
  things: { thing: Thing; name: string }[];
  not: Record<string, string>;
  others: Record<Thing, Account>;
  onChange(others: Record<Thing, Account>): void;
}

function Others({ api, things, not, others, onChange }: OthersProps) {
  const [asked, setAsked] = useState<Thing>();
  const without = (thing: Thing) => Object.fromEntries(Object.entries(others).filter(([other]) => other !== thing));
  return (
    <ul class="things">
      {things.map(({ thing, name }) => {
        const account = others[thing];
        return (
          <li key={thing}>
            <strong class="break">{name}</strong>
            {account ? (
              <Person account={account} action={<button type="button" class="button" onClick={() => onChange(without(thing))}>{t("to.asRest")}</button>} />
            ) : asked === thing ? (
              <AccountField
                api={api}
                autofocus
                not={not}
                label={t("to.receives", { name })}
                onChoose={(chosen) => {
                  setAsked(undefined);
                  onChange({ ...others, [thing]: chosen });
                }}
              />
            ) : (
              <div class="row">
                <span class="muted grow">{t("to.likeRest")}</span>
                <button type="button" class="button" aria-label={t("to.otherFor", { name })} onClick={() => setAsked(thing)}>{t("to.other")}</button>
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function OptionFields({ options, set }: { options: Options; set(part: Partial<Options>): void }) {
  const choices = <T extends string>(name: string, values: readonly T[]) =>
    values.map((value) => ({ value, label: t(`option.${name}.${value}` as Parameters<typeof t>[0]) }));
  return (
    <div style={{ display: "grid", gap: "20px", paddingBlock: "8px" }}>
      <div class="field">
        <label for="destination">{t("option.destination")}</label>
        <span class="muted small" id="destination-hint">{t("option.destination.hint")}</span>
        <input id="destination" class="input" aria-describedby="destination-hint" value={options.destination} placeholder={t("option.destination.default")} onInput={(event) => set({ destination: event.currentTarget.value })} />
      </div>
      <Choice legend={t("option.conflict")} value={options.conflict} options={choices("conflict", ["rename", "merge", "skip", "fail"] as const)} onChange={(conflict) => set({ conflict })} />
      <Choice legend={t("option.shares")} value={options.shares} options={choices("shares", ["keep", "links", "drop"] as const)} onChange={(shares) => set({ shares })} />
      <Choice legend={t("option.incoming")} value={options.incoming} options={choices("incoming", ["leave", "reshare"] as const)} onChange={(incoming) => set({ incoming })} />
      <Choice legend={t("option.meetings")} value={options.meetings} options={choices("meetings", ["leave", "rehome"] as const)} onChange={(meetings) => set({ meetings })} />
      <div class="field">
        <label for="when">{t("option.when")}</label>
        <span class="muted small" id="when-hint">{t("option.when.hint")}</span>
        <input id="when" class="input" type="datetime-local" aria-describedby="when-hint" value={options.when} onInput={(event) => set({ when: event.currentTarget.value })} />
      </div>
    </div>
  );
}

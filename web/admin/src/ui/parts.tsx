/** Small parts that many views share. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Problem } from "../api";
import { known, t } from "../i18n";
import { login } from "../route";

export type Tone = "info" | "good" | "warn" | "bad";

/** A message that matters; `bad` ones are read out at once. */
export function Notice({ tone = "info", title, children }: { tone?: Tone; title?: string; children?: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      {title && <strong>{title}</strong>}
      {children}
    </div>
  );
}

/** What went wrong and what to do, in words, with the request id for whoever has to look it up. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof Problem ? error : undefined;
  const words = problem ? known("problem", `${problem.code}.words`, problem.detail ?? "") : t("failure.offline");
  return (
    <Notice tone="bad" title={problem ? known("problem", problem.code, problem.title) : t("failure.title")}>
      {words && <span class="break">{words}</span>}
      {problem?.status === 401 && <div><a class="button" href={login()}>{t("door.login.go")}</a></div>}
      {problem?.request && <span class="muted small">{t("failure.id", { id: problem.request })}</span>}
      {retry && problem?.status !== 401 && <div><button type="button" class="button" onClick={retry}>{t("failure.again")}</button></div>}
    </Notice>
  );
}

export function Spinner({ label = t("loading") }: { label?: string }) {
  return <span role="status" class="muted">{label}</span>;
}

/** A heading that takes the focus when its view appears, so that screen readers start there. */
export function Heading({ children }: { children: ComponentChildren }) {
  const self = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    self.current?.focus();
  }, []);
  return <h1 ref={self} tabIndex={-1}>{children}</h1>;
}

/** A modal dialog; the browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, children }: { title: string; onClose(): void; children: ComponentChildren }) {
  const self = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = self.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={self} aria-labelledby={id} onClose={onClose} onCancel={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

export function Check(props: { checked: boolean; disabled?: boolean; onChange(on: boolean): void; children: ComponentChildren }) {
  return (
    <label class="check">
      <input type="checkbox" checked={props.checked} disabled={props.disabled} onChange={(event) => props.onChange(event.currentTarget.checked)} />
      <span>{props.children}</span>
    </label>
  );
}

export function Choice<T extends string>(props: { legend: string; value: T; options: readonly { value: T; label: string; hint?: string }[]; onChange(value: T): void }) {
  const name = useId();
  return (
    <fieldset>
      <legend>{props.legend}</legend>
      {props.options.map((option) => (
        <label class="check" key={option.value}>
          <input type="radio" name={name} checked={option.value === props.value} onChange={() => props.onChange(option.value)} />
          <span>
            {option.label}
            {option.hint && <span class="muted small"> {option.hint}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

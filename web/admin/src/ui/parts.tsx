/** Small parts that many views share. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
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
/** What went wrong, in a few words. */
export function failure(error: unknown): string {
  return error instanceof Problem ? known("problem", error.code, error.title) : t("failure.title");
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof Problem ? error : undefined;
  const words = problem ? known("problem", `${problem.code}.words`, problem.detail ?? "") : t("failure.offline");
  return (
    <Notice tone="bad" title={failure(error)}>
      {words && <span class="break">{words}</span>}
      {problem && problem.errors.length > 0 && <ul>{problem.errors.map((error) => <li key={error} class="break">{error}</li>)}</ul>}
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

/** A modal dialog; the browser keeps the focus in it, and it goes back to where it was. */
export function Dialog({ title, onClose, children }: { title: string; onClose(): void; children: ComponentChildren }) {
  const self = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = self.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      // A dialog that leaves the page does not give the focus back by itself.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={self} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

export function Check(props: { checked: boolean; some?: boolean; disabled?: boolean; onChange(on: boolean): void; children: ComponentChildren }) {
  return (
    <label class="check">
      <input type="checkbox" checked={props.checked} indeterminate={props.some ?? false} disabled={props.disabled} onChange={(event) => props.onChange(event.currentTarget.checked)} />
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

/** Gives something as a file; made here, so that no token has to stand in an address. */
export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Asks again before something that cannot be taken back easily; at a space's door with the password
 * of whoever looks.
 */
export function Confirm(props: {
  title: string;
  action: string;
  tone?: "primary" | "danger";
  password: boolean;
  ready?: boolean;
  onClose(): void;
  run(password: string): Promise<void>;
  children?: ComponentChildren;
}) {
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const id = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    // Twice pressed is once done.
    if (busy) return;
    setBusy(true);
    setError(undefined);
    props.run(password).catch((failed) => {
      setError(failed);
      setPassword("");
      setBusy(false);
    });
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={submit}>
        {props.children}
        {props.password && (
          <div class="field">
            <label for={id}>{t("sign.password")}</label>
            <input id={id} class="input" type="password" autocomplete="current-password" required value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
          </div>
        )}
        {error !== undefined && <Failure error={error} />}
        <div class="row end">
          <button type="button" class="button plain" onClick={props.onClose}>{t("back")}</button>
          <button type="submit" class={`button ${props.tone ?? "primary"}`} disabled={busy || props.ready === false || (props.password && password === "")}>
            {busy ? t("busy") : props.action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

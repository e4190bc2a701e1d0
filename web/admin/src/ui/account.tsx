/** Choosing an account by typing part of its name: the combobox pattern of WAI-ARIA. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Account, Api } from "../api";
import { t } from "../i18n";
import { Spinner } from "./parts";

/** Typing pauses this long before the instance is asked, so that a name is one request. */
const PAUSE = 250;
/** Accounts of a page; the next one is asked for when the end of the list comes near. */
const PAGE = 50;
/** How near, pixels. */
const NEAR = 200;

export interface AccountFieldProps {
  api: Api;
  label: string;
  hint?: string;
  /** Accounts that cannot be chosen, with the reason. */
  not?: Record<string, string>;
  autofocus?: boolean;
  onChoose(account: Account): void;
}

export function AccountField({ api, label, hint, not = {}, autofocus, onChoose }: AccountFieldProps) {
  const id = useId();
  const [term, setTerm] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [found, setFound] = useState<Account[]>([]);
  const [more, setMore] = useState(false);
  const [state, setState] = useState<"idle" | "asking" | "failed">("idle");
  const input = useRef<HTMLInputElement>(null);
  const menu = useRef<HTMLUListElement>(null);
  const paging = useRef<{ offset: number; stop: AbortController } | null>(null);

  useEffect(() => {
    if (autofocus) input.current?.focus();
  }, [autofocus]);

  useEffect(() => {
    if (!open) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      setState("asking");
      api
        .accounts({ search: term, limit: PAGE }, stop.signal)
        .then((page) => {
          setFound(page.accounts);
          setMore(page.more);
          paging.current = { offset: PAGE, stop };
          if (menu.current) menu.current.scrollTop = 0;
          setActive(page.accounts.length > 0 && term !== "" ? 0 : -1);
          setState("idle");
        })
        .catch(() => {
          if (!stop.signal.aborted) setState("failed");
        });
    }, term === "" ? 0 : PAUSE);
    return () => {
      clearTimeout(timer);
      stop.abort();
      paging.current = null;
    };
  }, [api, open, term]);

  const askMore = () => {
    const now = paging.current;
    if (!now || !more) return;
    // Until it has come, nothing else is asked for.
    paging.current = null;
    api
      .accounts({ search: term, limit: PAGE, offset: now.offset }, now.stop.signal)
      .then((page) => {
        const known = new Set(found.map(({ uid }) => uid));
        setFound([...found, ...page.accounts.filter(({ uid }) => !known.has(uid))]);
        setMore(page.more && page.accounts.length > 0);
        paging.current = { ...now, offset: now.offset + PAGE };
      })
      .catch(() => {
        if (!now.stop.signal.aborted) setState("failed");
      });
  };

  useEffect(() => {
    menu.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const choose = (account: Account | undefined) => {
    if (!account || not[account.uid] !== undefined) return;
    setOpen(false);
    setTerm("");
    onChoose(account);
  };

  const key = (event: KeyboardEvent) => {
    const last = found.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) setOpen(true);
      else if (event.key === "ArrowDown") {
        if (active >= last - 3) askMore();
        setActive(active < last ? active + 1 : more ? last : 0);
      }
      else setActive(active <= 0 ? last : active - 1);
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      choose(found[active]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      setOpen(false);
    }
  };

  return (
    <div class="field">
      <label for={id}>{label}</label>
      {hint && <span class="muted small" id={`${id}-hint`}>{hint}</span>}
      <div class="combo">
        <input
          ref={input}
          id={id}
          class="input"
          role="combobox"
          autocomplete="off"
          spellcheck={false}
          aria-expanded={open}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-describedby={hint ? `${id}-hint` : undefined}
          aria-activedescendant={open && active >= 0 ? `${id}-${active}` : undefined}
          placeholder={t("account.placeholder")}
          value={term}
          onInput={(event) => {
            setTerm(event.currentTarget.value);
            setOpen(true);
          }}
          onFocus={() => setOpen(true)}
          onClick={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={key}
        />
        {/* A press on the list must not take the focus from the field. */}
        <ul id={`${id}-list`} role="listbox" aria-label={label} ref={menu} hidden={!open} onMouseDown={(event) => event.preventDefault()} onScroll={({ currentTarget: list }) => list.scrollTop + list.clientHeight > list.scrollHeight - NEAR && askMore()}>
          {found.map((account, index) => (
            <li
              key={account.uid}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              aria-disabled={not[account.uid] !== undefined}
              onClick={() => choose(account)}
            >
              <Avatar account={account} />
              <span class="grow">
                <span class="cut">{account.display_name}</span>
                <span class="muted small"> {account.uid}</span>
                {not[account.uid] !== undefined && <span class="muted small"> · {not[account.uid]}</span>}
              </span>
              {!account.enabled && <span class="badge warn">{t("account.disabled")}</span>}
            </li>
          ))}
        </ul>
      </div>
      <div aria-live="polite" class="muted small">
        {open && state === "asking" && <Spinner />}
        {open && state === "failed" && t("account.failed")}
        {open && state === "idle" && found.length === 0 && t("account.none")}
        {open && state === "idle" && found.length > 0 && (more ? t("account.more", { n: found.length }) : t("account.found", { n: found.length }))}
      </div>
    </div>
  );
}

export function Avatar({ account }: { account: Pick<Account, "display_name" | "uid"> }) {
  const name = account.display_name || account.uid;
  return <span class="avatar" aria-hidden="true">{[...name][0]?.toUpperCase()}</span>;
}

/** An account that has been chosen, with a way to choose another. */
export function Person({ account, action }: { account: Account; action?: preact.ComponentChildren }) {
  const self = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // It stands where the field was that had the focus.
    if (document.activeElement === document.body) self.current?.querySelector("button")?.focus();
  }, []);
  return (
    <div class="person" ref={self}>
      <Avatar account={account} />
      <span class="grow break">
        <strong>{account.display_name}</strong> <span class="muted">{account.uid}</span>
        {!account.enabled && <> <span class="badge warn">{t("account.disabled")}</span></>}
      </span>
      {action}
    </div>
  );
}

/**
 * What somebody is about to hand over, while they decide.
 *
 * Kept in the browser's session, so that neither a reload nor a new login loses what was chosen.
 * Passwords are never part of it.
 */
import type { Account, Kind, Parts, Request } from "../api";
import { Selection } from "../ui/selection";

export const STEPS = ["who", "what", "to", "check"] as const;
export type Step = (typeof STEPS)[number];

/** Things that go to somebody else than the rest: `calendar:work`, `address_book:members`, `files`. */
export type Thing = string;

export interface Draft {
  step: Step;
  source?: Account;
  recipient?: Account;
  files: { include: string[]; exclude: string[] };
  /** `null`: all of them, also those that are not listed. */
  calendars: string[] | null;
  addressBooks: string[] | null;
  /** Recipients of single things. */
  others: Record<Thing, Account>;
  options: Options;
}

export interface Options {
  destination: string;
  conflict: NonNullable<Request["conflict"]>;
  shares: NonNullable<Request["shares"]>;
  incoming: NonNullable<Request["incoming"]>;
  meetings: NonNullable<Request["meetings"]>;
  /** As `datetime-local` fields hold it; empty: at once. */
  when: string;
}

export const empty: Draft = {
  step: "who",
  files: { include: ["/"], exclude: [] },
  calendars: null,
  addressBooks: null,
  others: {},
  options: { destination: "", conflict: "rename", shares: "keep", incoming: "leave", meetings: "leave", when: "" },
};

const KEY = "passeur-draft";

export function load(site: string): Draft {
  try {
    const kept = sessionStorage.getItem(`${KEY}:${site}`);
    return kept ? { ...empty, ...(JSON.parse(kept) as Draft) } : empty;
  } catch {
    return empty;
  }
}

export function save(site: string, draft: Draft): void {
  try {
    sessionStorage.setItem(`${KEY}:${site}`, JSON.stringify(draft));
  } catch {
    // A full or forbidden storage only costs the memory of it.
  }
}

export function forget(site: string): void {
  sessionStorage.removeItem(`${KEY}:${site}`);
}

/** Whether anything at all is chosen. */
export function isNothing(draft: Draft): boolean {
  return draft.files.include.length === 0 && draft.calendars?.length === 0 && draft.addressBooks?.length === 0;
}

/** What the API is asked for. */
export function request(draft: Draft): Request {
  const { options } = draft;
  const others = Object.entries(draft.others);
  return {
    source: draft.source?.uid ?? "",
    recipient: draft.recipient?.uid,
    selection: selection(draft),
    assignments: others.length > 0 ? others.map(([thing, account]) => ({ recipient: account.uid, selection: only(thing, draft) })) : undefined,
    destination: options.destination.trim() || undefined,
    conflict: options.conflict,
    shares: options.shares,
    incoming: options.incoming,
    meetings: options.meetings,
    when: options.when ? new Date(options.when).toISOString() : undefined,
  };
}

function selection(draft: Draft): Request["selection"] {
  const files = Selection.of(draft.files.include, draft.files.exclude);
  if (files.isEverything && draft.calendars === null && draft.addressBooks === null) return "all";
  const parts: Parts = { kinds: [] };
  const kinds: Kind[] = [];
  if (!files.isEmpty) {
    kinds.push("file", "folder");
    Object.assign(parts, paths(draft));
  }
  if (draft.calendars === null) kinds.push("calendar");
  else if (draft.calendars.length > 0) parts.calendars = draft.calendars;
  if (draft.addressBooks === null) kinds.push("address_book");
  else if (draft.addressBooks.length > 0) parts.address_books = draft.addressBooks;
  parts.kinds = kinds;
  return parts;
}

/** The chosen paths; the root as include means all, which is what no include means. */
function paths(draft: Draft): Pick<Parts, "include" | "exclude"> {
  const include = draft.files.include.filter((path) => path !== "/").map(escapeGlob);
  const exclude = draft.files.exclude.filter((path) => path !== "/").map(escapeGlob);
  return draft.files.include.includes("/") ? { exclude } : { include, exclude };
}

function only(thing: Thing, draft: Draft): Parts {
  const [kind, uri] = thing.split(/:(.*)/s);
  if (kind === "calendar") return { calendars: [uri ?? ""] };
  if (kind === "address_book") return { address_books: [uri ?? ""] };
  return { kinds: ["file", "folder"], ...paths(draft) };
}

/** A path that stands for itself where globs are read. */
function escapeGlob(path: string): string {
  return path.replace(/[\\*?[\]{}]/g, "\\$&");
}

/**
 * The rows of a tree of which only parts are known.
 *
 * A folder says how many entries it has; those that were not asked for yet are rows without an entry.
 * So the whole of it can be scrolled through, and what comes into view is asked for.
 */
import type { FolderEntry, FolderPage } from "../api";

/** Entries of a page of the API. */
export const PAGE = 500;

/** A folder as far as it is known: entries by place. */
export interface Known {
  total: number;
  entries: readonly (FolderEntry | undefined)[];
}
export type Loaded = Known | "asking" | "failed";

export interface Row {
  /** Of the entry; of a row without one, that of its folder. */
  path: string;
  folder: string;
  /** Its place among the entries of its folder. */
  at: number;
  siblings: number;
  level: number;
  entry?: FolderEntry;
  /** What stands there instead; `asking` is asked for when it comes into view. */
  note?: "asking" | "failed" | "empty";
}

/** A folder with one more page of it. */
export function joined(before: Loaded | undefined, offset: number, page: FolderPage): Known {
  const known = typeof before === "object" && before.total === page.total ? before : undefined;
  const entries: (FolderEntry | undefined)[] = known ? [...known.entries] : new Array(page.total).fill(undefined);
  page.entries.forEach((entry, index) => {
    entries[offset + index] = entry;
  });
  return { total: Math.max(page.total, offset + page.entries.length), entries };
}

/** Where the pages begin that some rows of a folder are missing of. */
export function missing(rows: readonly Row[]): { folder: string; offset: number }[] {
  const found = new Map<string, { folder: string; offset: number }>();
  for (const { folder, at, entry, note } of rows) {
    if (entry || note !== "asking") continue;
    const offset = at - (at % PAGE);
    found.set(`${offset} ${folder}`, { folder, offset });
  }
  return [...found.values()];
}

/** Whether all entries of a folder are known. */
export function isWhole(loaded: Loaded | undefined): loaded is Known {
  return typeof loaded === "object" && !loaded.entries.includes(undefined);
}

/** The rows that are there now: open folders' entries, in order, and notes where there are none. */
export function flatten(folders: ReadonlyMap<string, Loaded>, open: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const walk = (folder: string, level: number) => {
    const loaded = folders.get(folder);
    const alone = { path: folder, folder, at: 0, siblings: 1, level };
    if (loaded === undefined) return;
    if (typeof loaded === "string") rows.push({ ...alone, note: loaded });
    else if (loaded.total === 0) rows.push({ ...alone, note: "empty" });
    else
      loaded.entries.forEach((entry, at) => {
        const place = { folder, at, siblings: loaded.total, level };
        if (!entry) rows.push({ ...place, path: folder, note: "asking" });
        else {
          rows.push({ ...place, path: entry.path, entry });
          if (entry.kind === "folder" && open.has(entry.path)) walk(entry.path, level + 1);
        }
      });
  };
  walk("/", 0);
  return rows;
}

/**
 * The rows whose names hold `filter`, and the folders that lead to them. Folders that are known as a
 * whole are searched here; of others, `found` has what the server found in them.
 */
export function filtered(folders: ReadonlyMap<string, Loaded>, open: ReadonlySet<string>, filter: string, found: ReadonlyMap<string, Loaded>): Row[] {
  const rows: Row[] = [];
  const walk = (folder: string, level: number): boolean => {
    const loaded = folders.get(folder);
    if (typeof loaded !== "object") return false;
    const whole = isWhole(loaded);
    const searched = whole ? undefined : found.get(folder);
    const hits = typeof searched === "object" ? searched.entries : [];
    const begin = rows.length;
    const add = (entry: FolderEntry, fits: boolean) => {
      const at = rows.length;
      rows.push({ path: entry.path, folder, at: 0, siblings: 0, level, entry });
      const below = entry.kind === "folder" && open.has(entry.path) && walk(entry.path, level + 1);
      if (!fits && !below) rows.length = at;
    };
    const fits = (entry: FolderEntry) => entry.name.toLocaleLowerCase().includes(filter);
    for (const entry of loaded.entries) {
      if (entry && (whole || (entry.kind === "folder" && !fits(entry)))) add(entry, fits(entry));
    }
    for (const entry of hits) if (entry) add(entry, true);
    if (!whole && typeof searched !== "object") rows.push({ path: folder, folder, at: 0, siblings: 1, level, note: searched ?? "asking" });
    else if (typeof searched === "object" && searched.total > hits.length) rows.push({ path: folder, folder, at: hits.length, siblings: 1, level, note: "asking" });
    const own = rows.slice(begin).filter((row) => row.level === level);
    own.forEach((row, at) => Object.assign(row, { at: row.note ? row.at : at, siblings: own.length }));
    return own.length > 0;
  };
  walk("/", 0);
  return rows;
}

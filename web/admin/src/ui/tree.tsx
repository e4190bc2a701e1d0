/**
 * A tree of folders with three-state boxes, for homes of any size.
 *
 * Folders are asked for when they are opened, rows are in the page only while they are in view, and
 * the focus moves by keys as WAI-ARIA's tree pattern says: one stop for Tab, arrows inside.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FolderEntry } from "../api";
import { sentence, size, t } from "../i18n";
import type { Mark, Selection } from "./selection";

/** Height of a row, pixels; `--row` in the sheet. */
const ROW = 44;
/** Rows kept above and below what is in view. */
const SPARE = 8;

type Loaded = { entries: FolderEntry[]; more: boolean } | "asking" | "failed";

interface Row {
  path: string;
  level: number;
  entry?: FolderEntry;
  note?: "asking" | "failed" | "more" | "empty";
}

export interface TreeProps {
  label: string;
  selection: Selection;
  onChange(selection: Selection): void;
  /** The children of a folder, after the `after` first ones. */
  load(path: string, after: number): Promise<{ entries: FolderEntry[]; more: boolean }>;
  /** Only what has this in its name is shown, as far as folders are open. */
  filter?: string;
}

export function Tree({ label, selection, onChange, load, filter = "" }: TreeProps) {
  const [folders, setFolders] = useState<ReadonlyMap<string, Loaded>>(new Map());
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set(["/"]));
  const [focus, setFocus] = useState(0);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const box = useRef<HTMLDivElement>(null);
  const wanted = useRef(false);

  const fetch = useCallback(
    (path: string, after = 0) => {
      const put = (value: Loaded) => setFolders((map) => new Map(map).set(path, value));
      if (after === 0) put("asking");
      load(path, after).then(
        (page) =>
          setFolders((map) => {
            const before = map.get(path);
            const kept = after > 0 && typeof before === "object" ? before.entries.slice(0, after) : [];
            return new Map(map).set(path, { entries: [...kept, ...page.entries], more: page.more });
          }),
        () => after === 0 && put("failed"),
      );
    },
    [load],
  );

  useEffect(() => fetch("/"), [fetch]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const rows = useMemo(() => flatten(folders, open, filter.trim().toLocaleLowerCase()), [folders, open, filter]);
  const current = Math.min(focus, Math.max(0, rows.length - 1));

  // The focus follows once the row that should have it is in the page.
  useEffect(() => {
    if (!wanted.current) return;
    const row = box.current?.querySelector<HTMLElement>(`[data-index="${current}"]`);
    if (row) {
      wanted.current = false;
      row.focus({ preventScroll: true });
    }
  });

  const go = (index: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    setFocus(next);
    wanted.current = true;
    const element = box.current;
    if (!element) return;
    if (next * ROW < element.scrollTop) element.scrollTop = next * ROW;
    else if ((next + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (next + 1) * ROW - element.clientHeight;
    setTop(element.scrollTop);
  };

  const toggle = (row: Row) => {
    if (row.note === "more") {
      const before = folders.get(row.path);
      fetch(row.path, typeof before === "object" ? before.entries.length : 0);
    } else if (row.note === "failed") fetch(row.path);
    else if (row.entry && !row.entry.barred) onChange(selection.with(row.path, selection.mark(row.path) !== "on"));
  };

  const twist = (row: Row) => {
    const next = new Set(open);
    if (next.has(row.path)) next.delete(row.path);
    else {
      next.add(row.path);
      if (!folders.has(row.path)) fetch(row.path);
    }
    setOpen(next);
  };

  const key = (event: KeyboardEvent) => {
    const row = rows[current];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const isFolder = row.entry?.kind === "folder";
    const page = Math.max(1, Math.floor(height / ROW) - 1);
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(current + 1),
      ArrowUp: () => go(current - 1),
      PageDown: () => go(current + page),
      PageUp: () => go(current - page),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      Enter: () => toggle(row),
      " ": () => toggle(row),
    };
    const inwards = document.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    const outwards = document.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
    moves[inwards] = () => (isFolder && !open.has(row.path) ? twist(row) : isFolder && go(current + 1));
    moves[outwards] = () => {
      if (isFolder && open.has(row.path)) twist(row);
      else {
        const up = rows.slice(0, current).findLastIndex((other) => other.level < row.level);
        if (up >= 0) go(up);
      }
    };
    const move = moves[event.key];
    if (move) {
      event.preventDefault();
      move();
    }
  };

  const first = Math.max(0, Math.floor(top / ROW) - SPARE);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + SPARE);
  return (
    <div class="tree" role="tree" aria-label={label} aria-multiselectable="true" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={key}>
      <div class="space" role="none" style={{ blockSize: `${rows.length * ROW}px` }}>
        {rows.slice(first, last).map((row, offset) => (
          <TreeRow
            key={`${row.path}|${row.note ?? ""}`}
            row={row}
            index={first + offset}
            isOpen={open.has(row.path)}
            isCurrent={first + offset === current}
            mark={selection.mark(row.path)}
            onFocus={() => setFocus(first + offset)}
            onToggle={() => toggle(row)}
            onTwist={() => twist(row)}
          />
        ))}
      </div>
    </div>
  );
}

interface TreeRowProps {
  row: Row;
  index: number;
  isOpen: boolean;
  isCurrent: boolean;
  mark: Mark;
  onFocus(): void;
  onToggle(): void;
  onTwist(): void;
}

function TreeRow({ row, index, isOpen, isCurrent, mark, onFocus, onToggle, onTwist }: TreeRowProps) {
  const place = { insetBlockStart: `${index * ROW}px`, paddingInlineStart: `${8 + row.level * 20}px` };
  const common = { class: `item ${isOpen ? "open" : ""}`, "data-index": index, style: place, tabIndex: isCurrent ? 0 : -1, onFocus };
  const { entry } = row;
  if (!entry) {
    const action = row.note === "more" || row.note === "failed" ? onToggle : undefined;
    return (
      <div {...common} role="treeitem" aria-level={row.level + 1} onClick={action}>
        <span class={action ? "button plain" : "muted"}>{t(`tree.${row.note ?? "asking"}`)}</span>
      </div>
    );
  }
  const isFolder = entry.kind === "folder";
  const checked = mark === "some" ? "mixed" : mark === "on";
  return (
    <div {...common} role="treeitem" aria-level={row.level + 1} aria-expanded={isFolder ? isOpen : undefined} aria-checked={entry.barred ? undefined : checked} aria-disabled={entry.barred ? true : undefined}>
      {isFolder ? <button type="button" class="twist" tabIndex={-1} aria-hidden="true" onClick={onTwist} /> : <span class="twist" style={{ visibility: "hidden" }} />}
      <span class="row grow" style={{ flexWrap: "nowrap", gap: "8px" }} onClick={onToggle}>
        {entry.barred ? <span class="box" style={{ visibility: "hidden" }} /> : <span class={`box ${mark}`} aria-hidden="true" />}
        <span class="cut grow">{entry.name}</span>
        {entry.barred && <span class="badge warn cut">{sentence(entry.barred)}</span>}
        {entry.shared && <span class="badge">{t("tree.shared")}</span>}
        <span class="muted small nowrap">{entry.size === undefined ? "" : size(entry.size)}</span>
      </span>
    </div>
  );
}

/** The rows that are there now: open folders' entries, in order, and notes where there are none. */
function flatten(folders: ReadonlyMap<string, Loaded>, open: ReadonlySet<string>, filter: string): Row[] {
  const rows: Row[] = [];
  const walk = (path: string, level: number): boolean => {
    const loaded = folders.get(path);
    if (loaded === undefined) return false;
    if (typeof loaded === "string") {
      if (filter === "") rows.push({ path, level, note: loaded });
      return false;
    }
    let any = false;
    for (const entry of loaded.entries) {
      const at = rows.length;
      rows.push({ path: entry.path, level, entry });
      const below = entry.kind === "folder" && open.has(entry.path) && walk(entry.path, level + 1);
      const fits = filter === "" || entry.name.toLocaleLowerCase().includes(filter);
      if (fits || below) any = true;
      else rows.length = at;
    }
    if (loaded.more) rows.push({ path, level, note: "more" });
    else if (loaded.entries.length === 0 && filter === "") rows.push({ path, level, note: "empty" });
    return any;
  };
  walk("/", 0);
  return rows;
}

/**
 * A tree of folders with three-state boxes, for homes of any size.
 *
 * Folders are asked for when they are opened, and large ones page by page as they come into view; rows
 * are in the page only while they are in view. The focus moves by keys as WAI-ARIA's tree pattern
 * says: one stop for Tab, arrows inside.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FolderPage } from "../api";
import { sentence, size, t } from "../i18n";
import { failure } from "./parts";
import { type Loaded, PAGE, type Row, filtered, flatten, isWhole, joined, missing } from "./rows";
import type { Mark, Selection } from "./selection";

/** Height of a row, pixels; `--row` in the sheet. */
const ROW = 44;
/** Rows kept above and below what is in view. */
const SPARE = 8;
/** Scrolling and typing pause this long before anything is asked for. */
const PAUSE = 150;

export interface TreeProps {
  label: string;
  selection: Selection;
  onChange(selection: Selection): void;
  /** A page of a folder, of what has `search` in its name. */
  load(path: string, offset: number, search: string): Promise<FolderPage>;
  /** Only what has this in its name is shown, as far as folders are open. */
  filter?: string;
}

type Folders = ReadonlyMap<string, Loaded>;

export function Tree({ label, selection, onChange, load, filter = "" }: TreeProps) {
  const [folders, setFolders] = useState<Folders>(new Map());
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set(["/"]));
  const [focus, setFocus] = useState(0);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const box = useRef<HTMLDivElement>(null);
  const wanted = useRef(false);
  const search = filter.trim().toLocaleLowerCase();
  const { found, ask, failed, why, again } = usePages(load, search, setFolders);

  useEffect(() => ask("/", 0, ""), [ask]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const rows = useMemo(() => (search === "" ? flatten(folders, open) : filtered(folders, open, search, found)), [folders, open, search, found]);
  const current = Math.min(focus, Math.max(0, rows.length - 1));
  const first = Math.max(0, Math.floor(top / ROW) - SPARE);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + SPARE);

  // What came into view is asked for, once scrolling or typing pauses.
  useEffect(() => {
    const needed = missing(rows.slice(first, last));
    if (needed.length === 0) return;
    const timer = setTimeout(() => {
      for (const { folder, offset } of needed) ask(folder, offset, isWhole(folders.get(folder)) ? "" : search);
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [rows, first, last, ask, search, folders]);

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

  const note = (row: Row) => (row.note === "asking" && failed(row.folder, row.at) ? "failed" : row.note);

  const toggle = (row: Row) => {
    if (note(row) === "failed") again(row.folder, row.at);
    else if (row.entry && !row.entry.barred) onChange(selection.with(row.path, selection.mark(row.path) !== "on"));
  };

  const twist = (row: Row) => {
    const next = new Set(open);
    if (next.has(row.path)) next.delete(row.path);
    else {
      next.add(row.path);
      if (!folders.has(row.path)) ask(row.path, 0, "");
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

  // The row with the focus stays, also out of view: keys would go nowhere without it.
  const shown = rows.slice(first, last).map((row, offset) => ({ row, index: first + offset }));
  const kept = rows[current];
  if (kept && (current < first || current >= last)) shown.push({ row: kept, index: current });
  return (
    <>
    <p class="muted small" role="status" hidden={search === "" || rows.length > 0}>{t("tree.none")}</p>
    <div class="tree" role="tree" aria-label={label} aria-multiselectable="true" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={key}>
      <div class="space" role="none" style={{ blockSize: `${rows.length * ROW}px` }}>
        {shown.map(({ row, index }) => (
          <TreeRow
            key={search === "" ? `${row.at} ${row.folder}` : `${row.note ?? ""} ${row.path}`}
            row={row}
            note={note(row)}
            why={why(row.folder, row.at)}
            index={index}
            isOpen={open.has(row.path)}
            isCurrent={index === current}
            mark={selection.mark(row.path)}
            onFocus={() => setFocus(index)}
            onToggle={() => toggle(row)}
            onTwist={() => twist(row)}
          />
        ))}
      </div>
    </div>
    </>
  );
}

/** Asks for pages, each once at a time; what a search finds is kept apart from what is there. */
function usePages(load: TreeProps["load"], search: string, setFolders: (change: (folders: Folders) => Folders) => void) {
  const [found, setFound] = useState<Folders>(new Map());
  const [failures, setFailures] = useState<ReadonlyMap<string, unknown>>(new Map());
  const asked = useRef(new Set<string>());
  const present = useRef(search);
  present.current = search;

  useEffect(() => {
    setFound(new Map());
    setFailures(new Map());
  }, [search]);

  const ask = useCallback(
    (folder: string, offset: number, search: string) => {
      const id = `${offset} ${folder} ${search}`;
      if (asked.current.has(id)) return;
      asked.current.add(id);
      const put = (change: (before: Loaded | undefined) => Loaded) =>
        (search === "" ? setFolders : setFound)((map) => new Map(map).set(folder, change(map.get(folder))));
      if (search === "" && offset === 0) put((before) => (typeof before === "object" ? before : "asking"));
      load(folder, offset, search).then(
        (page) => {
          if (search === "") put((before) => joined(before, offset, page));
          else if (search === present.current) put((before) => hits(before, offset, page));
        },
        (error: unknown) => {
          if (search === "" && offset === 0) put(() => "failed");
          setFailures((all) => new Map(all).set(id, error));
        },
      ).finally(() => asked.current.delete(id));
    },
    [load, setFolders],
  );
  const of = (folder: string, at: number) => {
    const id = `${at - (at % PAGE)} ${folder} `;
    return failures.has(id) ? id : id + search;
  };
  return {
    found,
    ask,
    failed: (folder: string, at: number) => failures.has(of(folder, at)),
    why: (folder: string, at: number) => failures.get(of(folder, at)),
    again: (folder: string, at: number) => {
      setFailures(new Map());
      ask(folder, at - (at % PAGE), "");
    },
  };
}

/** What a search found so far, in order. */
function hits(before: Loaded | undefined, offset: number, page: FolderPage): Loaded {
  const entries = typeof before === "object" ? before.entries.slice(0, offset) : [];
  return { total: page.total, entries: [...entries, ...page.entries] };
}

interface TreeRowProps {
  row: Row;
  note: Row["note"];
  /** What failed, where that is the note. */
  why: unknown;
  index: number;
  isOpen: boolean;
  isCurrent: boolean;
  mark: Mark;
  onFocus(): void;
  onToggle(): void;
  onTwist(): void;
}

function TreeRow({ row, note, why, index, isOpen, isCurrent, mark, onFocus, onToggle, onTwist }: TreeRowProps) {
  const place = { insetBlockStart: `${index * ROW}px`, paddingInlineStart: `${8 + row.level * 20}px` };
  const common = {
    class: `item ${isOpen && row.entry ? "open" : ""}`,
    "data-index": index,
    style: place,
    role: "treeitem" as const,
    "aria-level": row.level + 1,
    "aria-setsize": row.siblings,
    "aria-posinset": Math.min(row.at + 1, row.siblings),
    tabIndex: isCurrent ? 0 : -1,
    onFocus,
  };
  const { entry } = row;
  if (!entry) {
    const failed = note === "failed";
    return (
      <div {...common} onClick={failed ? onToggle : undefined}>
        <span class="muted cut">{failed ? t("tree.failed", { why: failure(why) }) : t(`tree.${note ?? "asking"}`)}</span>
        {failed && <span class="button plain nowrap">{t("failure.again")}</span>}
      </div>
    );
  }
  const isFolder = entry.kind === "folder";
  const checked = mark === "some" ? "mixed" : mark === "on";
  return (
    <div {...common} aria-expanded={isFolder ? isOpen : undefined} aria-checked={entry.barred ? undefined : checked} aria-disabled={entry.barred ? true : undefined}>
      {isFolder ? <button type="button" class="twist" tabIndex={-1} aria-hidden="true" onClick={onTwist} /> : <span class="twist" style={{ visibility: "hidden" }} />}
      <span class="row grow" style={{ flexWrap: "nowrap", gap: "8px" }} onClick={onToggle}>
        {entry.barred ? <span class="box" style={{ visibility: "hidden" }} /> : <span class={`box ${mark}`} aria-hidden="true" />}
        <span class="cut grow">{entry.name}</span>
        {entry.barred && <span class="badge warn cut">{sentence(entry.barred)}</span>}
        {entry.shared && <span class="badge">{t("tree.shared")}</span>}
        {entry.count != null && <span class="muted small nowrap hide-small">{t("tree.count", { n: entry.count })}</span>}
        <span class="muted small nowrap">{entry.size === undefined ? "" : size(entry.size)}</span>
      </span>
    </div>
  );
}

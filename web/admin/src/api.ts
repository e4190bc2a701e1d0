/**
 * The API of a door, as `docs/openapi.json` describes it.
 *
 * Every failure is a `Problem` (RFC 9457). At a space's door the browser's session speaks, with the
 * instance's own request token against forged requests; at the host's door a bearer token does. A
 * transfer that begins always carries the password, so neither is enough for it.
 */

export type Kind = "file" | "folder" | "calendar" | "address_book" | "board" | "table" | "form" | "poll";
export type State = "awaiting" | "queued" | "running" | "paused" | "done" | "failed" | "cancelled" | "undoing" | "undone" | "undo_failed";
export type ItemState = "pending" | "running" | "done" | "failed" | "undone" | "kept";
export type ShareKind = "user" | "group" | "link" | "mail" | "remote" | "team" | "room" | "other";
export type Outcome = "kept" | "remade" | "lost";

export interface Account {
  uid: string;
  display_name: string;
  enabled: boolean;
  /** Bytes; `null` where there is no limit or the instance does not say. */
  used?: number | null;
  quota?: number | null;
  /** Milliseconds since 1970. */
  last_login?: number | null;
}

export interface AccountPage {
  accounts: Account[];
  more: boolean;
}

export interface Collection {
  uri: string;
  name: string;
  count: number;
  shared: boolean;
  /** Future meetings with guests, of calendars. */
  meetings?: number;
}

export interface Inventory {
  account: Account;
  files: { count?: number | null; size?: number | null };
  calendars: Collection[];
  address_books: Collection[];
  excluded: { path: string; reason: string }[];
}

export interface FolderEntry {
  name: string;
  path: string;
  kind: "file" | "folder";
  size?: number;
  /** What is directly in a folder, where the instance says. */
  count?: number | null;
  shared: boolean;
  /** Why it cannot be handed over; absent where it can. */
  barred?: string;
}

export interface FolderPage {
  entries: FolderEntry[];
  /** With those that are not in this page. */
  total: number;
}

export interface Parts {
  kinds?: Kind[];
  include?: string[];
  exclude?: string[];
  calendars?: string[];
  address_books?: string[];
}
export type Selection = "all" | Parts;

export interface Request {
  source: string;
  recipient?: string;
  assignments?: { recipient: string; selection: Selection }[];
  selection: Selection;
  destination?: string;
  conflict?: "rename" | "merge" | "skip" | "fail";
  shares?: "keep" | "drop" | "links";
  incoming?: "leave" | "reshare";
  meetings?: "leave" | "rehome";
  when?: string;
}

export interface PlanItem {
  id: number;
  kind: Kind;
  name: string;
  path: string;
  recipient: string;
  destination: string;
  engine: string;
  reason: string;
  count: number;
  size: number;
  kept: string[];
  lost: string[];
  shares?: { path: string; kind: ShareKind; with: string; becomes: Outcome }[];
}

export interface Plan {
  hash: string;
  site: string;
  request: Request;
  items: PlanItem[];
  excluded: { kind?: Kind; path: string; reason: string }[];
  blocking: { code: string; detail: string; item?: number }[];
  warnings: string[];
  estimate: { objects: number; bytes: number; bytes_carried: number; requests: number; seconds: number };
  made_at: string;
  expires_at: string;
}

export type Action = "pause" | "resume" | "cancel" | "undo" | "approve" | "decline";

export interface Progress {
  items: number;
  items_done: number;
  items_failed: number;
  objects: number;
  objects_done: number;
  bytes: number;
  bytes_done: number;
}

export interface Summary {
  id: string;
  site: string;
  state: State;
  source: string;
  recipients: string[];
  progress: Progress;
  by: string;
  approved_by?: string;
  created_at: string;
  begins_at?: string;
  ended_at?: string;
  undo_until?: string;
  note?: string;
}

export interface ItemProgress {
  id: number;
  kind: Kind;
  name: string;
  state: ItemState;
  objects_done: number;
  bytes_done: number;
  error?: string;
}

export interface Transfer extends Summary {
  plan: Plan;
  items: ItemProgress[];
}

export interface TransferEvent {
  seq: number;
  at: string;
  kind: string;
  item?: number;
  state: State;
  progress: Progress;
  text: string;
}

export interface ItemReceipt {
  id: number;
  kind: Kind;
  name: string;
  from: string;
  recipient: string;
  to: string;
  engine: string;
  state: ItemState;
  kept: string[];
  lost: string[];
  shares: { path: string; kind: ShareKind; with: string; outcome: Outcome; link?: { old: string; new?: string }; note?: string }[];
  check?: { count_before: number; count_after: number; size_before: number; size_after: number; over: string };
  error?: string;
}

export interface Receipt {
  id: string;
  site: string;
  source: string;
  state: State;
  by: string;
  approved_by?: string;
  created_at: string;
  ended_at?: string;
  undo_until?: string;
  items: ItemReceipt[];
  notes: string[];
}

export interface Me {
  door: "space" | "host";
  name: string;
  /** The account, at a space's door. */
  uid?: string;
  /** Sites that may be acted on; one at a space's door. */
  sites: { name: string; approval: boolean; access: boolean }[];
  scopes: string[];
  tours: boolean;
}

/** An answer that says what went wrong. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail?: string,
    readonly request?: string,
    readonly retryAfter?: number,
    /** Everything that is wrong, where it can be several things. */
    readonly errors: readonly string[] = [],
  ) {
    super(detail ?? title);
  }
}

export interface Credentials {
  requestToken?: string;
  bearer?: string;
}

export class Api {
  constructor(
    private readonly root: string,
    private readonly site: string,
    private readonly credentials: () => Credentials,
  ) {}

  /** The same door for another site. */
  for(site: string): Api {
    return new Api(this.root, site, this.credentials);
  }

  get siteName(): string {
    return this.site;
  }

  me(): Promise<Me> {
    return this.ask("GET", "/me");
  }

  accounts(query: { search: string; limit: number; offset?: number }, signal?: AbortSignal): Promise<AccountPage> {
    return this.ask("GET", this.at("accounts", query), undefined, {}, signal);
  }

  inventory(uid: string): Promise<Inventory> {
    return this.ask("GET", this.at(`accounts/${encodeURIComponent(uid)}/inventory`));
  }

  folder(uid: string, path: string, offset: number, search: string): Promise<FolderPage> {
    return this.ask("GET", this.at(`accounts/${encodeURIComponent(uid)}/files`, { path, offset, search, limit: 500 }));
  }

  plan(request: Request): Promise<Plan> {
    return this.ask("POST", this.at("plans"), request);
  }

  start(plan: string, password: string, key: string): Promise<{ id: string }> {
    return this.ask("POST", this.at("transfers"), { plan, password: password || undefined }, { "Idempotency-Key": key });
  }

  transfers(query: { search?: string; state?: State; before?: string; limit?: number } = {}): Promise<{ transfers: Summary[]; more: boolean }> {
    return this.ask("GET", this.at("transfers", query));
  }

  transfer(id: string): Promise<Transfer> {
    return this.ask("GET", this.at(`transfers/${id}`));
  }

  act(id: string, action: Action, password?: string, why?: string): Promise<unknown> {
    return this.ask("POST", this.at(`transfers/${id}/${action}`), { password: password || undefined, why: why || undefined });
  }

  receipt(id: string): Promise<Receipt> {
    return this.ask("GET", this.at(`transfers/${id}/receipt`));
  }

  /** Where the receipt can be loaded as a file. */
  receiptAddress(id: string): string {
    return this.root + this.at(`transfers/${id}/receipt`);
  }

  /** Tells `onEvent` what happens until `signal` ends it; goes on by itself after a break. */
  async events(id: string, onEvent: (event: TransferEvent) => void, signal: AbortSignal): Promise<void> {
    let last = "";
    for (let pause = 1000; !signal.aborted; pause = Math.min(pause * 2, 15_000)) {
      try {
        const headers: Record<string, string> = { Accept: "text/event-stream" };
        if (last) headers["Last-Event-ID"] = last;
        const answer = await this.send("GET", this.at(`transfers/${id}/events`), undefined, headers, signal);
        if (!answer.body) return;
        for await (const { id: seq, data } of messages(answer.body)) {
          if (seq) last = seq;
          pause = 1000;
          if (data) onEvent(JSON.parse(data) as TransferEvent);
        }
      } catch (error) {
        if (signal.aborted) return;
        // Nobody may look any more, or it is gone: asking again would change nothing.
        if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Anything else of the API: tokens, sites, audit, tours. */
  ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
    return this.send(method, path, body, headers, signal).then(async (answer) => (answer.status === 204 ? undefined : await answer.json()) as T);
  }

  /** What the state of something is, with its validator. */
  async tagged<T>(path: string): Promise<{ value: T; tag: string }> {
    const answer = await this.send("GET", path, undefined, {});
    return { value: (await answer.json()) as T, tag: answer.headers.get("etag") ?? "*" };
  }

  /** An answer as a file. */
  async file(path: string): Promise<Blob> {
    return (await this.send("GET", path, undefined, { Accept: "*/*" })).blob();
  }

  /** An answer of one JSON value per line. */
  lines<T>(path: string): Promise<T[]> {
    return this.send("GET", path, undefined, { Accept: "application/x-ndjson" }).then(async (answer) =>
      (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line) as T),
    );
  }

  at(path: string, query: Record<string, string | number | undefined> = {}): string {
    const given = Object.entries(query).filter((pair): pair is [string, string | number] => pair[1] !== undefined && pair[1] !== "");
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return `/sites/${encodeURIComponent(this.site)}/${path}${text && `?${text}`}`;
  }

  private async send(method: string, path: string, body: unknown, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    const { requestToken, bearer } = this.credentials();
    const all: Record<string, string> = { Accept: "application/json", ...headers };
    if (requestToken) all.requesttoken = requestToken;
    if (bearer) all.Authorization = `Bearer ${bearer}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    const answer = await fetch(this.root + path, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal,
    });
    if (!answer.ok) throw await problem(answer);
    return answer;
  }
}

async function problem(answer: Response): Promise<Problem> {
  let said: Record<string, unknown> = {};
  try {
    said = (await answer.json()) as Record<string, unknown>;
  } catch {
    // Not from Passeur, or cut off: the status has to do.
  }
  const text = (name: string) => (typeof said[name] === "string" ? (said[name] as string) : undefined);
  const code = text("type")?.replace(/^.*[/:#]/, "") ?? `status_${answer.status}`;
  const listed = Array.isArray(said.errors) ? (said.errors as { detail?: unknown }[]) : [];
  const wrong = listed.map((one) => String(one.detail ?? ""));
  const retry = Number(answer.headers.get("retry-after")) || undefined;
  return new Problem(answer.status, code, text("title") ?? `${answer.status} ${answer.statusText}`, text("detail"), text("request_id"), retry, wrong);
}

/** The messages of a stream of server-sent events. */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<{ id?: string; data: string }> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value.replaceAll("\r\n", "\n");
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        const lines = rest.slice(0, end).split("\n");
        rest = rest.slice(end + 2);
        const of = (name: string) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
        yield { id: of("id").at(-1), data: of("data").join("\n") };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * What is chosen of a tree whose folders are only known as far as they have been opened.
 *
 * A path is chosen if the nearest decision on its way up says so. Decisions are kept as few as
 * possible: choosing a folder forgets what was decided below it. So the selection of a home with a
 * million files is a handful of paths, and says something about folders that nobody has opened.
 */
export type Mark = "on" | "off" | "some";

export class Selection {
  /** `true`: chosen with all below; `false`: left out with all below. The root is `""`. */
  private constructor(private readonly decided: ReadonlyMap<string, boolean>) {}

  static readonly everything = new Selection(new Map([["", true]]));
  static readonly nothing = new Selection(new Map([["", false]]));

  /** The selection that names these paths and leaves out those. */
  static of(include: readonly string[], exclude: readonly string[]): Selection {
    const decided = new Map<string, boolean>([["", include.includes("/")]]);
    for (const path of include) if (path !== "/") decided.set(trim(path), true);
    for (const path of exclude) decided.set(trim(path), false);
    return new Selection(decided);
  }

  mark(path: string): Mark {
    const below = trim(path) + "/";
    const own = this.isChosen(path);
    for (const [other, on] of this.decided) {
      if (other !== "" && (path === "" || `/${other}`.startsWith(`/${below}`) || path === "/") && on !== own) return "some";
    }
    return own ? "on" : "off";
  }

  isChosen(path: string): boolean {
    for (let at = trim(path); ; at = parent(at)) {
      const decision = this.decided.get(at);
      if (decision !== undefined) return decision;
      if (at === "") return false;
    }
  }

  /** Chooses or leaves out `path` with all below it. */
  with(path: string, on: boolean): Selection {
    const key = trim(path);
    const decided = new Map(this.decided);
    for (const other of decided.keys()) {
      if (key === "" || other === key || other.startsWith(`${key}/`)) decided.delete(other);
    }
    const inherited = key === "" ? undefined : new Selection(decided).isChosen(key);
    if (inherited !== on) decided.set(key, on);
    return new Selection(decided);
  }

  get isEmpty(): boolean {
    return ![...this.decided.values()].includes(true);
  }

  get isEverything(): boolean {
    return this.decided.size === 1 && this.decided.get("") === true;
  }

  /** Paths that are chosen, and paths below them that are not; each begins with `/`. */
  paths(): { include: string[]; exclude: string[] } {
    const include: string[] = [];
    const exclude: string[] = [];
    for (const [path, on] of this.decided) {
      if (path === "" && !on) continue;
      (on ? include : exclude).push(`/${path}`);
    }
    return { include: include.sort(), exclude: exclude.sort() };
  }
}

function trim(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}

function parent(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

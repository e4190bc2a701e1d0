import { describe, expect, it } from "vitest";
import { Selection } from "../src/ui/selection";

describe("selection", () => {
  it("takes all with the root, and nothing without", () => {
    expect(Selection.everything.mark("/a/b")).toBe("on");
    expect(Selection.nothing.mark("/a/b")).toBe("off");
    expect(Selection.everything.isEverything).toBe(true);
    expect(Selection.nothing.isEmpty).toBe(true);
  });

  it("shows folders between as partly chosen", () => {
    const some = Selection.everything.with("/a/b/c", false);
    expect(["", "/a", "/a/b"].map((path) => some.mark(path))).toEqual(["some", "some", "some"]);
    expect(some.mark("/a/b/c")).toBe("off");
    expect(some.mark("/a/b/cd")).toBe("on");
    expect(some.paths()).toEqual({ include: ["/"], exclude: ["/a/b/c"] });
  });

  it("forgets what was decided below a folder that is chosen", () => {
    const again = Selection.everything.with("/a/b", false).with("/a/c", false).with("/a", true);
    expect(again.isEverything).toBe(true);
  });

  it("chooses again below what was left out", () => {
    const inner = Selection.nothing.with("/a/b", true).with("/a/b/c", false).with("/a/b/c/d", true);
    expect(inner.isChosen("/a/b/c/d/e")).toBe(true);
    expect(inner.isChosen("/a/b/c/x")).toBe(false);
    expect(inner.paths()).toEqual({ include: ["/a/b", "/a/b/c/d"], exclude: ["/a/b/c"] });
  });

  it("comes back from its paths", () => {
    const before = Selection.everything.with("/a", false).with("/a/b", true);
    const { include, exclude } = before.paths();
    const after = Selection.of(include, exclude);
    for (const path of ["", "/a", "/a/b", "/a/c", "/z"]) expect(after.mark(path)).toBe(before.mark(path));
  });

  it("does not mistake a name for the beginning of another", () => {
    const one = Selection.nothing.with("/ab", true);
    expect(one.mark("/a")).toBe("off");
    expect(one.mark("/abc")).toBe("off");
  });
});

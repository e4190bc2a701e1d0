import { describe, expect, it } from "vitest";
import { type Draft, empty, isNothing, request } from "../src/wizard/model";

const account = (uid: string) => ({ uid, display_name: uid, enabled: true });
const draft = (part: Partial<Draft>): Draft => ({ ...empty, source: account("alice"), recipient: account("bob"), ...part });

describe("what the API is asked for", () => {
  it("is everything, unless something is left out", () => {
    expect(request(draft({}))).toMatchObject({ source: "alice", recipient: "bob", selection: "all", conflict: "rename" });
  });

  it("names what is chosen, with characters of globs taken as they are", () => {
    const { selection } = request(draft({ files: { include: ["/a[1]*"], exclude: ["/a[1]*/b{c}"] }, calendars: ["work"], addressBooks: [] }));
    expect(selection).toEqual({ kinds: ["file", "folder"], include: ["/a\\[1\\]\\*"], exclude: ["/a\\[1\\]\\*/b\\{c\\}"], calendars: ["work"] });
  });

  it("leaves a kind out that nothing is chosen of", () => {
    const { selection } = request(draft({ files: { include: [], exclude: [] }, calendars: null, addressBooks: [] }));
    expect(selection).toEqual({ kinds: ["calendar"] });
  });

  it("gives single things to somebody else", () => {
    const { assignments } = request(draft({ others: { "calendar:a:b": account("carol") } }));
    expect(assignments).toEqual([{ recipient: "carol", selection: { calendars: ["a:b"] } }]);
  });

  it("knows when it is nothing", () => {
    expect(isNothing(draft({ files: { include: [], exclude: [] }, calendars: [], addressBooks: [] }))).toBe(true);
    expect(isNothing(draft({ files: { include: [], exclude: [] }, calendars: null, addressBooks: [] }))).toBe(false);
  });
});

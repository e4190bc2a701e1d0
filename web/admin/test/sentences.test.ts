import { afterEach, expect, it } from "vitest";
import { choose, sentence } from "../src/i18n";
import sentences from "../src/locales/sentences.json";

afterEach(() => choose(["en"]));

it("says a sentence of the server in the reader's language, with its values", () => {
  choose(["fr-FR"]);
  expect(sentence("versions")).toBe("anciennes versions");
  expect(sentence("the public link gets a new address: Work: plans")).toBe("le lien public change d’adresse: Work: plans");
  expect(sentence("never heard: of")).toBe("never heard: of");
  choose(["en"]);
  expect(sentence("versions")).toBe("versions");
});

it("has every sentence in every language", () => {
  for (const [english, said] of Object.entries(sentences)) expect(Object.keys(said).sort(), english).toEqual(["de", "es", "fr"]);
});

import { expect, it } from "vitest";
import de from "../src/locales/de.json";
import en from "../src/locales/en.json";
import es from "../src/locales/es.json";
import fr from "../src/locales/fr.json";

const holes = (text: unknown) => [...new Set(JSON.stringify(text).match(/\{\w+\}/g) ?? [])].sort();

for (const [language, texts] of Object.entries({ de, es, fr })) {
  it(`${language} says all that English says, with the same values`, () => {
    const theirs = texts as Record<string, unknown>;
    for (const [key, text] of Object.entries(en)) {
      expect(theirs[key], key).toBeDefined();
      expect(holes(theirs[key]), key).toEqual(holes(text));
    }
  });

  it(`${language} has every plural form that its grammar has`, () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, text] of Object.entries(texts as Record<string, unknown>)) {
      if (typeof text !== "object" || text === null || Object.keys(text).length === 1) continue;
      for (const form of forms) expect(Object.keys(text), `${key} ${form}`).toContain(form);
    }
  });
}

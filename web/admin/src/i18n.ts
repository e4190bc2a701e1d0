/**
 * Texts in the reader's language.
 *
 * One JSON file for each language, keys as in `en.json`; a key that is missing falls back to English,
 * never to an empty place. Plurals are objects by `Intl.PluralRules` category. `{name}` is replaced;
 * values become text nodes, never markup.
 */
import de from "./locales/de.json";
import en from "./locales/en.json";
import es from "./locales/es.json";
import fr from "./locales/fr.json";
import sentences from "./locales/sentences.json";

type Text = string | Partial<Record<Intl.LDMLPluralRule, string>>;
type Texts = Record<string, Text>;

export type Key = keyof typeof en;
export type Values = Record<string, string | number>;

/** The languages beside English. */
const others: Record<string, Texts> = { de, es, fr };

let texts: Texts = en;
let language = "en";
let plurals = new Intl.PluralRules("en");

/** Chooses the first language of `wanted` that there are texts for. */
export function choose(wanted: readonly string[]): void {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split(/[-_]/)[0] ?? "";
    if (base !== "en" && !others[base]) continue;
    texts = others[base] ?? en;
    // `de_DE@x` is no tag that Intl takes; the base always is.
    language = Intl.DateTimeFormat.supportedLocalesOf([valid(tag) ?? base])[0] ?? base;
    plurals = new Intl.PluralRules(language);
    return;
  }
}

function valid(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag.replaceAll("_", "-"))[0];
  } catch {
    return undefined;
  }
}

/** The language in use, for `Intl` and `<html lang>`. */
export function locale(): string {
  return language;
}

/** The text of `key`; `n` in `values` chooses the plural form. */
export function t(key: Key, values: Values = {}): string {
  return fill(texts[key] ?? (en as Texts)[key] ?? key, values);
}

/** The text of a key that comes from the server, or `fallback` where we have none for it. */
export function known(prefix: string, code: string, fallback: string, values: Values = {}): string {
  const key = `${prefix}.${code}`;
  const text = texts[key] ?? (en as Texts)[key];
  return text === undefined ? fallback : fill(text, values);
}

/**
 * A fixed English sentence of the server in the reader's language, where we have it. The values of a
 * sentence stand behind it, after a colon.
 */
export function sentence(english: string): string {
  const base = language.split("-")[0] ?? "";
  const all = sentences as Record<string, Record<string, string>>;
  if (all[english]) return all[english][base] ?? english;
  for (let at = english.indexOf(": "); at > 0; at = english.indexOf(": ", at + 1)) {
    const known = all[english.slice(0, at)];
    if (known) return (known[base] ?? english.slice(0, at)) + english.slice(at);
  }
  return english;
}

/** The same, where it stands by itself: with a capital. */
export function said(english: string): string {
  const [first = "", ...rest] = sentence(english);
  return first.toLocaleUpperCase(language) + rest.join("");
}

function fill(text: Text, values: Values): string {
  const form = typeof text === "string" ? text : (text[plurals.select(Number(values.n ?? 0))] ?? text.other ?? "");
  return form.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : (value ?? `{${name}}`);
  });
}

/** A whole number, grouped as the language does. */
export function number(value: number): string {
  return new Intl.NumberFormat(language).format(value);
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A size in bytes, in the unit that keeps it short. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: UNITS[unit],
    unitDisplay: unit === 0 ? "long" : "short",
    maximumFractionDigits: digits,
  }).format(value);
}

/** A moment, given as milliseconds since 1970 or an RFC 3339 text. */
export function moment(at: number | string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

/** A span of time in seconds, in words: "3 min". */
export function span(seconds: number): string {
  const [value, unit] =
    seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 172_800 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
  return new Intl.NumberFormat(language, { style: "unit", unit: unit as string, unitDisplay: "long", maximumFractionDigits: 0 }).format(Math.ceil(value as number));
}

/** "a, b and c". */
export function list(items: readonly string[]): string {
  return new Intl.ListFormat(language, { type: "conjunction" }).format(items);
}

// Files of words: the exact language, then its base, then English, key by key. A key that nobody
// has is an empty text, never a key on the screen.

import type { Block, Lang, Strings } from './format.ts'

/** `pt-BR` → `pt-BR`, `pt`, `en`, those that exist. */
export function chain(wanted: Lang, has: Record<Lang, unknown>): Lang[] {
  const find = (lang: string) => Object.keys(has).find((each) => each.toLowerCase() === lang.toLowerCase())
  const languages = [wanted, wanted.split('-')[0] ?? '', 'en'].map(find).filter((lang): lang is string => lang !== undefined)
  return [...new Set(languages)]
}

export async function json<T>(url: string): Promise<T> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return (await answer.json()) as T
}

/** All files of the chain in one; the first that can be had is enough. */
export async function strings(urls: Record<Lang, string>, wanted: Lang): Promise<Words> {
  const languages = chain(wanted, urls)
  const parts = await Promise.all(languages.map((lang) => json<Strings>(urls[lang] ?? '').catch(() => ({}) as Strings)))
  return new Words(Object.assign({}, ...parts.reverse()), languages[0] ?? 'en')
}

export class Words {
  constructor(
    private readonly all: Strings,
    readonly lang: Lang,
  ) {}

  /** With `{n}`-like places filled. */
  text(key: string, values: Record<string, string | number> = {}): string {
    const text = this.all[key]
    if (typeof text !== 'string') return ''
    return text.replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all))
  }

  body(key: string): string | Block[] | undefined {
    return this.all[key]
  }
}

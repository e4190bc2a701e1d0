// The conditions that only the engine can judge: about the person, the device and the running tour.

import { holdsOn, type Answer, type PageFacts } from './condition.ts'
import type { Condition } from './format.ts'
import { inRange } from './range.ts'

export interface Facts extends PageFacts {
  groups: readonly string[] | null
  device: 'phone' | 'desktop'
  themes: ReadonlySet<string>
  site: string
  /** Days since the person first came, the first included, as far as this browser knows. */
  loginDays: number | null
  /** Milliseconds since 1970. */
  now: number
  flags: Readonly<Record<string, string>>
  seen: (tour: string) => string | undefined
  has: (target: string) => boolean
}

export function holds(condition: Condition | undefined, facts: Facts): Answer {
  return holdsOn(condition, facts, (name, wanted) => one(name, wanted, facts))
}

function one(name: string, wanted: unknown, facts: Facts): Answer {
  const text = String(wanted)
  switch (name) {
    case 'group':
      return facts.groups ? facts.groups.includes(text) : undefined
    case 'device':
      return facts.device === text
    case 'theme':
      return facts.themes.has(text)
    case 'flag':
      return pair(text, (key) => facts.flags[key])
    case 'seen':
      return pair(text, facts.seen)
    case 'has':
      return facts.has(text)
    case 'date':
      return date(wanted as { from?: string; until?: string }, facts.now)
    case 'tenant':
      return glob(text, facts.site)
    case 'login_days':
      return inRange(facts.loginDays === null ? null : String(facts.loginDays), text)
    default:
      return undefined
  }
}

/** `key=value`, or `key` for any value but none. */
function pair(text: string, value: (key: string) => string | undefined): boolean {
  const [key = '', wanted] = text.split('=', 2)
  const have = value(key)
  return wanted === undefined ? !!have : have === wanted
}

/** Only `*` is special. */
function glob(pattern: string, text: string): boolean {
  const source = pattern.split('*').map((part) => part.replace(/[^\w]/g, '\\$&')).join('.*')
  return new RegExp(`^${source}$`, 's').test(text)
}

/** Days are whole: `until` is included. */
function date({ from, until }: { from?: string; until?: string }, now: number): Answer {
  const start = from ? Date.parse(from) : -Infinity
  const end = until ? Date.parse(until) + 86_400_000 : Infinity
  return Number.isNaN(start) || Number.isNaN(end) ? undefined : now >= start && now < end
}

// Conditions are pure and have three answers: yes, no, unknown. Unknown never starts a tour. Here is
// what the loader can judge on every page; the engine adds the rest (conditions.ts), and until then
// the rest is unknown.

import type { Condition } from './format.ts'
import { inRange } from './range.ts'
import { matches } from './route.ts'

/** What the page says by itself; null where it does not. */
export interface PageFacts {
  nc: string | null
  /** App ids that this person has, with versions where known. */
  apps: ReadonlyMap<string, string | null> | null
  admin: boolean | null
  lang: string
  /** Normalised, see route.ts; null asks "on any page?". */
  path: string | null
}

export type Answer = boolean | undefined

/** Judges a member that this module does not know. */
export type More = (name: string, wanted: unknown) => Answer

/** All members of a condition must hold; an empty one does. */
export function holdsOn(condition: Condition | undefined, facts: PageFacts, more?: More): Answer {
  return all(Object.entries(condition ?? {}).map(([name, wanted]) => one(name, wanted, facts, more)))
}

const all = (answers: Answer[]): Answer => (answers.includes(false) ? false : answers.includes(undefined) ? undefined : true)
const not = (answer: Answer): Answer => (answer === undefined ? answer : !answer)

function one(name: string, wanted: unknown, facts: PageFacts, more?: More): Answer {
  const text = String(wanted)
  const inner = (each: Condition) => holdsOn(each, facts, more)
  switch (name) {
    case 'all':
      return all((wanted as Condition[]).map(inner))
    case 'any':
      return not(all((wanted as Condition[]).map((each) => not(inner(each)))))
    case 'not':
      return not(inner(wanted as Condition))
    case 'nc':
      return inRange(facts.nc, text)
    case 'app':
      return app(text, facts.apps)
    case 'admin':
      return facts.admin === null ? undefined : facts.admin === wanted
    case 'lang':
      return `${facts.lang}-`.startsWith(`${text}-`)
    case 'route':
      return facts.path === null ? undefined : matches(text, facts.path)
    default:
      return more?.(name, wanted)
  }
}

/** `files`, or `calendar >=5 <6`. */
function app(text: string, apps: PageFacts['apps']): Answer {
  const [, id = '', range] = /^(\S+)\s*(.*)/.exec(text) ?? []
  if (!apps) return undefined
  if (!apps.has(id)) return false
  return range ? inRange(apps.get(id), range) : true
}

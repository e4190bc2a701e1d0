import { describe, expect, it } from 'vitest'
import { holdsOn } from '../src/condition.ts'
import { holds } from '../src/conditions.ts'
import type { Condition } from '../src/format.ts'
import { facts } from './facts.ts'

const yes: Condition[] = [
  { nc: '>=30 <35' }, { app: 'files' }, { app: 'calendar >=6' }, { group: 'board' }, { admin: false }, { lang: 'pt' }, { lang: 'pt-BR' }, { route: '/apps/files/**' },
  { device: 'desktop' }, { theme: 'dark' }, { flag: 'role' }, { flag: 'role=treasurer' }, { seen: 'welcome' }, { seen: 'welcome=done' }, { has: 'files.new' },
  { date: { from: '2026-05-10', until: '2026-05-10' } }, { tenant: '*.farm' }, { login_days: '<=3' }, {}, { all: [] }, { not: { any: [] } },
]
const no: Condition[] = [
  { nc: '<34' }, { app: 'talk' }, { app: 'calendar <6' }, { group: 'staff' }, { admin: true }, { lang: 'p' }, { route: '/apps/files' }, { device: 'phone' }, { theme: 'light' },
  { flag: 'role=secretary' }, { flag: 'depth' }, { seen: 'files' }, { seen: 'welcome=dismissed' }, { has: 'files.row' }, { date: { until: '2026-05-09' } }, { date: { from: '2026-05-11' } },
  { tenant: 'farm' }, { tenant: 'blue?farm' }, { login_days: '>3' }, { any: [] },
]
const unknown: Condition[] = [{ app: 'deck >=1' }, { nc: 'new' }, { date: { from: 'soon' } }, { moon: 'full' } as Condition]

describe('a condition', () => {
  it.each(yes)('holds: %j', (condition) => {
    expect(holds(condition, facts())).toBe(true)
    expect(holds({ not: condition }, facts())).toBe(false)
  })
  it.each(no)('does not hold: %j', (condition) => {
    expect(holds(condition, facts())).toBe(false)
    expect(holds({ not: condition }, facts())).toBe(true)
  })
  it.each(unknown)('is unknown: %j', (condition) => {
    expect(holds(condition, facts())).toBeUndefined()
    expect(holds({ not: condition }, facts())).toBeUndefined()
  })
  it('is unknown for what the page does not tell', () => {
    const dumb = facts({ nc: null, apps: null, admin: null, path: null, groups: null, loginDays: null })
    for (const condition of [{ nc: '34' }, { app: 'files' }, { admin: true }, { route: '/**' }, { group: 'board' }, { login_days: '1' }]) {
      expect(holds(condition, dumb), JSON.stringify(condition)).toBeUndefined()
    }
  })
})

describe('three values together', () => {
  const answers: [Condition, boolean | undefined][] = [[{ admin: false }, true], [{ admin: true }, false], [{ nc: 'x' }, undefined]]
  it('follow Kleene', () => {
    for (const [a, is] of answers)
      for (const [b, and] of answers) {
        const all = is === false || and === false ? false : is === undefined || and === undefined ? undefined : true
        const any = is === true || and === true ? true : is === undefined || and === undefined ? undefined : false
        expect(holds({ all: [a, b] }, facts()), `${is} and ${and}`).toBe(all)
        expect(holds({ any: [a, b] }, facts()), `${is} or ${and}`).toBe(any)
      }
  })
})

it('the loader takes for unknown what only the engine can judge', () => {
  const engines: Condition[] = [{ group: 'board' }, { seen: 'welcome' }, { device: 'phone' }, { flag: 'role' }]
  for (const condition of engines) expect(holdsOn(condition, facts())).toBeUndefined()
  expect(holdsOn({ all: [{ seen: 'welcome' }, { app: 'talk' }] }, facts())).toBe(false)
})

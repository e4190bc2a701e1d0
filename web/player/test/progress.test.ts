import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ManifestTour } from '../src/format.ts'
import { empty, merge, offerable, read, seconds, type Entry, type Progress, type Status } from '../src/progress.ts'

beforeEach(() => void vi.useFakeTimers({ now: new Date(2026, 4, 10, 12) }))
afterEach(() => void vi.useRealTimers())

/** The same numbers on every run (mulberry32). */
function dice(seed: number): (sides: number) => number {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

const statuses: Status[] = ['offered', 'active', 'dismissed', 'done']

function anything(roll: (sides: number) => number): Progress {
  const tours: Record<string, Entry> = {}
  for (const id of ['a', 'b', 'c', 'd']) if (roll(3)) tours[id] = { r: roll(3), s: statuses[roll(4)] ?? 'done', t: 1 + roll(4) }
  return { $v: 1, reset: roll(3), offered: roll(9), tours }
}

describe('two copies', () => {
  it('become the same, whoever merges first, and however often', () => {
    const roll = dice(7)
    for (let i = 0; i < 500; i++) {
      const [a, b, c] = [anything(roll), anything(roll), anything(roll)]
      expect(merge(a, b)).toEqual(merge(b, a))
      expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)))
      expect(merge(merge(a, b), b)).toEqual(merge(a, b))
    }
  })

  it('keep what is later, then the newer revision, then what ended', () => {
    const one = (entry: Entry) => ({ ...empty(), tours: { a: entry } })
    const cases: [Entry, Entry][] = [
      [{ r: 1, s: 'offered', t: 5 }, { r: 9, s: 'done', t: 4 }],
      [{ r: 2, s: 'offered', t: 5 }, { r: 1, s: 'done', t: 5 }],
      [{ r: 1, s: 'done', t: 5 }, { r: 1, s: 'dismissed', t: 5 }],
      [{ r: 1, s: 'dismissed', t: 5 }, { r: 1, s: 'active', t: 5 }],
      [{ r: 1, s: 'active', t: 5 }, { r: 1, s: 'offered', t: 5 }],
    ]
    for (const [kept, lost] of cases) expect(merge(one(lost), one(kept)).tours.a).toEqual(kept)
  })

  it('forget what is older than a reset', () => {
    const old = { ...empty(), tours: { a: { r: 1, s: 'done', t: 5 } as Entry } }
    expect(merge(old, { ...empty(), reset: 5 }).tours).toEqual({})
    expect(merge(old, { ...empty(), reset: 4 }).tours).toHaveProperty('a')
  })

  it('stay below 4096 bytes, and what ended stays in', () => {
    const big = empty()
    for (let i = 0; i < 90; i++) big.tours[`tour-number-${i}`] = { r: 1, s: i % 3 ? 'offered' : 'done', t: 1000 + i, flags: { role: 'treasurer' } }
    const kept = merge(big, empty())
    expect(JSON.stringify(kept).length).toBeLessThanOrEqual(4096)
    expect(Object.values(kept.tours).filter(({ s }) => s === 'done')).toHaveLength(30)
  })
})

it('what others wrote is read with care', () => {
  for (const rubbish of [null, 'x', 7, [], { tours: null }, { tours: { a: null, b: { s: 'odd', t: 1 }, c: { s: 'done' } } }]) expect(read(rubbish)).toEqual(empty())
  expect(read({ $v: 9, reset: -1, offered: 'x', tours: { a: { r: 2.5, s: 'done', t: 3.9, step: 4, more: 1 } } }).tours).toEqual({ a: { r: 2, s: 'done', t: 3 } })
})

describe('an offer', () => {
  const tour = (offer: Partial<ManifestTour['offer']> = {}, rev = 2) =>
    ({ id: 'a', rev, kind: 'tour', offer: { auto: true, priority: 0, delay: 0, again: 'never', ...offer } }) as ManifestTour
  const after = (entry?: Partial<Entry>, offered = 0): Progress => ({ ...empty(), offered, tours: entry ? { a: { r: 1, s: 'done', t: 5, ...entry } } : {} })

  it('comes once a day, and again only while it waits for an answer', () => {
    expect(offerable(tour(), after(), '34')).toBe(true)
    expect(offerable(tour(), after(undefined, seconds()), '34')).toBe(false)
    expect(offerable(tour(), after({ s: 'offered' }, seconds()), '34', 'a')).toBe(true)
    expect(offerable(tour(), after({ s: 'offered' }, seconds()), '34', 'b')).toBe(false)
    expect(offerable(tour(), after({ s: 'offered' }, seconds() - 86_400), '34')).toBe(true)
  })

  it('does not come after an end, unless the tour says so', () => {
    expect(offerable(tour(), after(), '34')).toBe(true)
    for (const s of ['done', 'dismissed'] as const) {
      expect(offerable(tour(), after({ s }), '34', 'a')).toBe(false)
      expect(offerable(tour({ again: 'rev' }), after({ s }), '34')).toBe(true)
      expect(offerable(tour({ again: 'rev' }, 1), after({ s }), '34')).toBe(false)
      expect(offerable(tour({ again: 'major' }), after({ s, flags: { nc: '33' } }), '34')).toBe(true)
      expect(offerable(tour({ again: 'major' }), after({ s, flags: { nc: '34' } }), '34')).toBe(false)
    }
    expect(offerable(tour({ auto: false }), after(), '34', 'a')).toBe(false)
  })

  it('comes on its days, the last one included', () => {
    expect(offerable(tour({ from: '2026-05-10', until: '2026-05-10' }), after(), '34')).toBe(true)
    expect(offerable(tour({ from: '2026-05-11' }), after(), '34')).toBe(false)
    expect(offerable(tour({ until: '2026-05-09' }), after(), '34')).toBe(false)
  })
})

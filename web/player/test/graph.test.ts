import { describe, expect, it } from 'vitest'
import type { Tour } from '../src/format.ts'
import { afterChapter, choices, deeper, following, position, shown, step } from '../src/graph.ts'
import { facts } from './facts.ts'

const tour = {
  start: 'a',
  defaults: { missing: 'skip' },
  chapters: [{ id: 'one', text: 'one', steps: ['b', 'c'], skippable: true, deeper: 'x' }],
  steps: {
    a: { target: 'none', text: 'a', next: [{ if: { flag: 'role=treasurer' }, to: 'b' }, { to: 'd' }], choices: [{ text: 'admins', to: 'd', if: { admin: true } }, { text: 'all', to: 'b' }] },
    b: { target: 'none', text: 'b', next: 'c', missing: 'end' },
    c: { target: 'none', text: 'c', next: 'd' },
    d: { target: 'none', text: 'd', when: { admin: true }, next: 'e' },
    e: { target: 'none', text: 'e' },
    x: { target: 'none', text: 'x', next: 'd' },
    round: { target: 'none', text: 'r', when: { admin: true }, next: 'round' },
    stuck: { target: 'none', text: 's', next: [{ if: { admin: true }, to: 'a' }] },
  },
} as unknown as Tour

describe('the steps of a tour', () => {
  it('have its defaults, unless they say otherwise', () => {
    expect(step(tour, 'a')?.missing).toBe('skip')
    expect(step(tour, 'b')?.missing).toBe('end')
    expect([step(tour, 'end'), step(tour, null), step(tour, 'nobody')]).toEqual([undefined, undefined, undefined])
  })

  it('follow the first edge that holds, past those that do not show', () => {
    expect(following(tour, 'a', facts())).toBe('b')
    expect(following(tour, 'a', facts({ flags: {} }))).toBe('e')
    expect(following(tour, 'a', facts({ flags: {}, admin: true }))).toBe('d')
    expect(following(tour, 'e', facts())).toBeNull()
    expect(following(tour, 'stuck', facts())).toBeNull()
    expect(shown(tour, 'nobody', facts())).toBeNull()
  })

  it('end where hidden ones go round', () => expect(shown(tour, 'round', facts())).toBeNull())

  it('offer the choices that hold', () => {
    expect(choices(step(tour, 'a')!, facts()).map(({ text }) => text)).toEqual(['all'])
    expect(choices(step(tour, 'a')!, facts({ admin: null })).map(({ text }) => text)).toEqual(['all'])
  })

  it('leave a chapter, or tell more at its end', () => {
    expect(afterChapter(tour, 'b', facts())).toBe('e')
    expect(deeper(tour, 'b', facts())).toBeUndefined()
    expect(deeper(tour, 'c', facts())).toBe('x')
    expect(deeper(tour, 'a', facts())).toBeUndefined()
  })

  it('count what was shown and what is ahead', () => {
    expect(position(tour, [], 'a', facts())).toEqual({ at: 1, of: 4 })
    expect(position(tour, ['a', 'b', 'c'], 'e', facts())).toEqual({ at: 4, of: 4 })
  })
})

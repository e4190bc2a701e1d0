// What a person has seen: one small document, the same on every device. The merge is the one of the
// server (src/tours): commutative, so it does not matter who merges first.

import type { ManifestTour } from './format.ts'

export type Status = 'offered' | 'active' | 'done' | 'dismissed'

export interface Entry {
  /** Revision of the tour. */
  r: number
  s: Status
  step?: string
  flags?: Record<string, string>
  /** Seconds since 1970. */
  t: number
}

export interface Progress {
  $v: 1
  reset: number
  /** When a tour was last offered unasked. */
  offered: number
  tours: Record<string, Entry>
}

const LIMIT = 4096
const STATUSES: readonly Status[] = ['offered', 'active', 'dismissed', 'done']

export const empty = (): Progress => ({ $v: 1, reset: 0, offered: 0, tours: {} })

export const seconds = (): number => Math.floor(Date.now() / 1000)

const whole = (value: unknown): number => (typeof value === 'number' && value > 0 ? Math.floor(value) : 0)

/** Reads what may have been written by anyone; what makes no sense is left out. */
export function read(data: unknown): Progress {
  const result = empty()
  if (typeof data !== 'object' || data === null) return result
  const given = data as Partial<Progress>
  result.reset = whole(given.reset)
  result.offered = whole(given.offered)
  for (const [id, entry] of Object.entries(given.tours ?? {})) {
    if (!STATUSES.includes(entry?.s) || !whole(entry.t)) continue
    const kept: Entry = { r: whole(entry.r), s: entry.s, t: whole(entry.t) }
    if (typeof entry.step === 'string') kept.step = entry.step
    if (typeof entry.flags === 'object' && entry.flags) kept.flags = entry.flags
    result.tours[id] = kept
  }
  return result
}

export function merge(one: Progress, other: Progress): Progress {
  const result: Progress = {
    $v: 1,
    reset: Math.max(one.reset, other.reset),
    offered: Math.max(one.offered, other.offered),
    tours: { ...one.tours },
  }
  for (const [id, entry] of Object.entries(other.tours)) {
    const mine = result.tours[id]
    if (!mine || newer(entry, mine)) result.tours[id] = entry
  }
  for (const [id, entry] of Object.entries(result.tours)) if (entry.t <= result.reset) delete result.tours[id]
  return fitting(result)
}

function newer(one: Entry, other: Entry): boolean {
  return (one.t - other.t || one.r - other.r || STATUSES.indexOf(one.s) - STATUSES.indexOf(other.s)) > 0
}

const size = (data: Progress): number => new TextEncoder().encode(JSON.stringify(data)).length

/** At most 4096 bytes: first the flags of ended tours go, then the oldest offers. */
function fitting(data: Progress): Progress {
  if (size(data) <= LIMIT) return data
  for (const entry of Object.values(data.tours)) if (entry.s === 'done' || entry.s === 'dismissed') delete entry.flags
  const oldest = Object.entries(data.tours).sort(([, a], [, b]) => a.t - b.t)
  for (const [id, entry] of oldest) if (size(data) > LIMIT && entry.s === 'offered') delete data.tours[id]
  return data
}

/**
 * Whether the tour may come up by itself, as far as its history goes: one a day, and the one that
 * is being asked about until there is an answer.
 */
export function offerable({ id, rev, offer }: ManifestTour, data: Progress, major: string, asking?: string): boolean {
  const { auto, again, from, until } = offer
  const today = new Date().toISOString().slice(0, 10)
  if (!auto || (from && today < from) || (until && today > until) || (id !== asking && offeredToday(data))) return false
  const entry = data.tours[id]
  if (!entry || entry.s === 'offered' || entry.s === 'active') return true
  return (again === 'rev' && entry.r < rev) || (again === 'major' && !!major && entry.flags?.nc !== major)
}

/** The days are those of the person's clock. */
export function offeredToday(data: Progress): boolean {
  return new Date(data.offered * 1000).toDateString() === new Date().toDateString()
}

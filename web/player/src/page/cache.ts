// This browser's memory: the cached progress of one person, and the position of a running tour in
// one tab. Storage may be full, forbidden or filled with rubbish; then there is no memory.

import { empty, type Progress } from '../progress.ts'

export interface Cache {
  progress: Progress
  groups?: string[]
  /** When the groups were asked for, seconds since 1970. */
  asked?: number
  /** The day on which this person first came here, YYYY-MM-DD. */
  first?: string
  /** The tour that was offered here and got no answer yet: it comes up again on the next page. */
  asking?: string
}

const key = (user: string): string => `passeur.tours.${user}`

export function load(user: string): Cache {
  try {
    const data = JSON.parse(localStorage.getItem(key(user)) ?? '') as Cache
    if (data.progress.tours) return data
  } catch {
    // Unreadable is empty.
  }
  return { progress: empty() }
}

export function save(user: string, cache: Cache): void {
  try {
    localStorage.setItem(key(user), JSON.stringify(cache))
  } catch {
    // Full or forbidden: the next page knows less.
  }
}

/** Where a running tour is; survives page loads in this tab only. */
export interface Position {
  user: string
  tour: string
  rev: number
  step: string
  trail: string[]
  flags: Record<string, string>
  /** Normalised path where it was left. */
  path: string
  /** Set when a step navigates: until when (ms since 1970) that page load counts as part of the tour. */
  until?: number
  /** Set by `goto`: so that a page that sends back is not asked again. */
  gone?: string
  /** Asleep: the person left it, and is only asked. */
  paused?: boolean
}

const POSITION = 'passeur.tours.at'

export function position(user: string): Position | null {
  try {
    const data = JSON.parse(sessionStorage.getItem(POSITION) ?? 'null') as Position | null
    return data && data.user === user ? data : null
  } catch {
    return null
  }
}

export function keepPosition(position: Position | null): void {
  try {
    if (position) sessionStorage.setItem(POSITION, JSON.stringify(position))
    else sessionStorage.removeItem(POSITION)
  } catch {
    // Then a page load ends the tour; progress still knows the step.
  }
}

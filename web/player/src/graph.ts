// A tour is a graph of steps. Nothing here touches the page: which step follows, what a chapter
// offers, and how far along one is.

import { holds, type Facts } from './conditions.ts'
import type { Chapter, Choice, Step, Tour } from './format.ts'

/** A step with the tour's defaults; undefined if there is none of that name. */
export function step(tour: Tour, id: string | null): Step | undefined {
  const own = id === null || id === 'end' ? undefined : tour.steps[id]
  return own && { ...tour.defaults, ...own }
}

/** Where the first edge that holds leads, before asking whether that step shows; null = end. */
function edge(from: Step, facts: Facts): string | null {
  if (typeof from.next === 'string') return from.next
  return from.next?.find((each) => holds(each.if, facts))?.to ?? null
}

/** `id` itself if its `when` holds, else the first step behind it that shows; null = end. */
export function shown(tour: Tour, id: string | null, facts: Facts): string | null {
  const been = new Set<string>()
  let at = id
  while (at !== null && !been.has(at)) {
    been.add(at)
    const here = step(tour, at)
    if (!here) return null
    if (holds(here.when, facts)) return at
    at = edge(here, facts)
  }
  return null
}

export function following(tour: Tour, id: string, facts: Facts): string | null {
  const from = step(tour, id)
  return from ? shown(tour, edge(from, facts), facts) : null
}

export const choices = (at: Step, facts: Facts): Choice[] => (at.choices ?? []).filter((each) => holds(each.if, facts))

export const chapterOf = (tour: Tour, id: string): Chapter | undefined => tour.chapters?.find((each) => each.steps.includes(id))

/** The first step outside the chapter along the way; null = end. */
export function afterChapter(tour: Tour, id: string, facts: Facts): string | null {
  const chapter = chapterOf(tour, id)
  const been = new Set<string>()
  let at: string | null = id
  while (at !== null && chapter?.steps.includes(at) && !been.has(at)) {
    been.add(at)
    at = following(tour, at, facts)
  }
  return at !== null && chapter?.steps.includes(at) ? null : at
}

/** Whether the way leaves the chapter behind this step: there it offers to tell more. */
export function deeper(tour: Tour, id: string, facts: Facts): string | undefined {
  const chapter = chapterOf(tour, id)
  if (!chapter?.deeper) return undefined
  const next = following(tour, id, facts)
  if (next !== null && chapter.steps.includes(next)) return undefined
  return shown(tour, chapter.deeper, facts) ?? undefined
}

/**
 * "Step n of m": n is how many were shown, m adds the way ahead with today's facts. A branch can
 * change m, but n never goes back except by "Back".
 */
export function position(tour: Tour, trail: readonly string[], id: string, facts: Facts): { at: number; of: number } {
  let ahead = 0
  const been = new Set([...trail, id])
  for (let next = following(tour, id, facts); next !== null && !been.has(next); next = following(tour, next, facts)) {
    been.add(next)
    ahead++
  }
  return { at: trail.length + 1, of: trail.length + 1 + ahead }
}

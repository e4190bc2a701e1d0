// From names to elements. Looked up when needed and never kept: pages are rebuilt at any time.

import type { Candidate, Target, Targets } from './format.ts'
import { visible } from './page/dom.ts'
import { inRange } from './range.ts'

export interface Found {
  element: HTMLElement
  /** Which candidate it was, 0 = the preferred one. */
  candidate: number
}

export type Parameters = Record<string, string>

/** What decides which candidates count. */
export interface Versions {
  nc: string | null
  apps: ReadonlyMap<string, string | null> | null
}

/** How deep `within` and `frame` may lead. */
const DEPTH = 4

/** The first candidate that is visible; null if none is, or the name is unknown. */
export function find(targets: Targets, name: string, given: Parameters, versions: Versions, depth = DEPTH): Found | null {
  const target = targets[name]
  if (!target || depth === 0) return null
  const fits = target.any.map((candidate) => fit(candidate, versions))
  // An app's version may be unknown: its candidates are tried after those that are sure.
  for (const wanted of [true, undefined]) {
    for (const [index, candidate] of target.any.entries()) {
      if (fits[index] !== wanted) continue
      const element = first(targets, candidate, given, versions, depth)
      if (element) return { element, candidate: index }
    }
  }
  return null
}

function fit(candidate: Candidate, versions: Versions): boolean | undefined {
  if (candidate.nc && inRange(versions.nc, candidate.nc) !== true) return false
  if (!candidate.app) return true
  const [, id = '', range] = /^(\S+)\s*(.*)/.exec(candidate.app) ?? []
  if (versions.apps && !versions.apps.has(id)) return false
  return range ? inRange(versions.apps?.get(id), range) : true
}

function first(targets: Targets, candidate: Candidate, given: Parameters, versions: Versions, depth: number): HTMLElement | null {
  let scope: ParentNode | null = document
  if (candidate.frame) {
    const frame = find(targets, candidate.frame, given, versions, depth - 1)?.element
    scope = frame instanceof HTMLIFrameElement ? inside(frame) : null
  }
  if (candidate.within) scope = find(targets, candidate.within, given, versions, depth - 1)?.element ?? null
  const css = filled(candidate.css, given)
  if (!scope || css === null) return null
  try {
    const all = [...scope.querySelectorAll<HTMLElement>(css)].filter(visible)
    return all[candidate.index ?? 0] ?? null
  } catch {
    return null
  }
}

/** null for a frame of another origin. */
function inside(frame: HTMLIFrameElement): Document | null {
  try {
    return frame.contentDocument
  } catch {
    return null
  }
}

/** Fills `{x}`, escaped so that a value cannot become a selector; null if one is missing. */
export function filled(css: string, given: Parameters): string | null {
  let complete = true
  const result = css.replace(/\{([a-z][a-z0-9-]*)\}/g, (_, name: string) => {
    const value = given[name]
    if (value === undefined) complete = false
    return CSS.escape(value ?? '')
  })
  return complete ? result : null
}

/** The part that opens and closes something: the element itself, or the button in it. */
export function trigger(element: HTMLElement): HTMLElement {
  const marked = '[aria-expanded], [aria-haspopup], summary'
  return element.matches(marked) ? element : (element.querySelector<HTMLElement>(marked) ?? element)
}

export function expanded(element: HTMLElement): boolean | undefined {
  if (element.localName === 'summary') return (element.parentElement as HTMLDetailsElement).open
  const value = element.getAttribute('aria-expanded')
  return value === null ? undefined : value === 'true'
}

/** A tour may click what only shows something: never a button that could delete or send. */
export function clickable(element: HTMLElement, target: Target): boolean {
  if (target.safe || element.matches('[aria-haspopup], [aria-expanded], [role=tab], summary')) return true
  return element instanceof HTMLAnchorElement && element.origin === location.origin && !element.hasAttribute('download')
}

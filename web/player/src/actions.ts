// What a step does to the page before it shows, and how each of these is undone. A tour opens what
// hides its target and closes only what it opened itself.

import { holds, type Facts } from './conditions.ts'
import type { Action, Targets } from './format.ts'
import { reducedMotion } from './page/dom.ts'
import { path, webRoot, globals } from './page/facts.ts'
import { until } from './page/watch.ts'
import { area, matches } from './route.ts'
import { clickable, expanded, find, trigger, type Found, type Parameters, type Versions } from './targets.ts'

/** Something that a tour changed on the page. */
export interface Opened {
  /** The target that was opened; steps that need it open again keep it. */
  name: string
  undo: () => void
}

export interface Stage {
  targets: Targets
  versions: () => Versions
  facts: () => Facts
  opened: Opened[]
  set: (flags: Record<string, string>) => void
  mark: (element: HTMLElement) => () => void
  /** Saves the position and leaves for another page; false if that was tried already. */
  leave: (to: string) => boolean
}

/** How often `needs` may lead to further `needs`. */
const DEPTH = 5
const SECONDS = 5

/** Whether it worked; what did not is for the step's `missing`. */
export async function act(stage: Stage, action: Action, given: Parameters, signal: AbortSignal, depth = DEPTH): Promise<boolean> {
  const parameters = { ...given, ...action.with }
  const seconds = action.timeout ?? SECONDS
  if (action.set) stage.set(action.set)
  if (action.wait) return !!(await until(() => holds(action.wait, stage.facts()), seconds, signal))
  if (action.goto) return goTo(stage, action.goto)
  for (const kind of ['open', 'close', 'click', 'scroll', 'reveal', 'focus', 'highlight'] as const) {
    const name = action[kind]
    if (!name) continue
    if (kind === 'close' && !find(stage.targets, name, parameters, stage.versions())) return true
    const found = await reach(stage, name, parameters, signal, seconds, depth)
    if (!found || signal.aborted || !(await one(stage, kind, name, found, parameters, signal, seconds))) return false
  }
  return true
}

/** Finds a target; if it is not there, does what it needs and waits for it. */
export async function reach(stage: Stage, name: string, given: Parameters, signal: AbortSignal, seconds = SECONDS, depth = DEPTH): Promise<Found | null> {
  const look = () => find(stage.targets, name, given, stage.versions())
  const there = look()
  const needs = stage.targets[name]?.needs
  if (there || depth === 0 || !stage.targets[name]) return there
  for (const need of needs ?? []) if (!(await act(stage, need, given, signal, depth - 1))) break
  return look() ?? (await until(look, seconds, signal))
}

/** Every target that must be open for this one to be seen. */
export function needed(targets: Targets, name: string | undefined, depth = DEPTH): string[] {
  if (!name || depth === 0) return []
  const needs = targets[name]?.needs ?? []
  return needs.flatMap(({ open, reveal }) => [open, reveal].flatMap((each) => (each ? [each, ...needed(targets, each, depth - 1)] : [])))
}

type Kind = 'open' | 'close' | 'click' | 'scroll' | 'reveal' | 'focus' | 'highlight'

async function one(stage: Stage, kind: Kind, name: string, found: Found, given: Parameters, signal: AbortSignal, seconds: number): Promise<boolean> {
  const { element } = found
  const target = stage.targets[name]
  switch (kind) {
    case 'open':
    case 'close': {
      const handle = trigger(element)
      const wanted = kind === 'open'
      if (expanded(handle) === wanted) return true
      if (!target || !clickable(handle, target)) return false
      const again = () => find(stage.targets, name, given, stage.versions())?.element
      press(handle)
      const knows = expanded(handle) !== undefined
      stage.opened.push({ name, undo: () => toggleBack(again(), wanted) })
      return !knows || !!(await until(() => { const now = again(); return now && expanded(trigger(now)) === wanted }, seconds, signal))
    }
    case 'click':
      if (!target || !clickable(element, target)) return false
      press(element)
      return true
    case 'scroll':
      scrollTo(element)
      return true
    case 'focus':
      element.focus()
      return true
    case 'reveal':
      stage.opened.push({ name, undo: reveal(element) })
      return true
    case 'highlight':
      stage.opened.push({ name: '', undo: stage.mark(element) })
      return true
  }
}

/** Nextcloud listens to `click`; what is scrolled away may not be there for it. */
function press(element: HTMLElement): void {
  element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  element.click()
}

function toggleBack(element: HTMLElement | undefined, wasOpened: boolean): void {
  const handle = element && trigger(element)
  if (handle && expanded(handle) === wasOpened) handle.click()
}

/** Shows what shows only under the mouse, and gives it back its style. */
function reveal(element: HTMLElement): () => void {
  const before = element.getAttribute('style')
  const enter = (types: string[]) => {
    for (const type of types) element.dispatchEvent(new MouseEvent(type, { bubbles: /over|out/.test(type) }))
  }
  enter(['mouseover', 'mouseenter'])
  for (const [property, value] of [['visibility', 'visible'], ['opacity', '1']] as const) element.style.setProperty(property, value, 'important')
  if (getComputedStyle(element).display === 'none') element.style.setProperty('display', 'revert', 'important')
  return () => {
    enter(['mouseout', 'mouseleave'])
    if (before === null) element.removeAttribute('style')
    else element.setAttribute('style', before)
  }
}

export function scrollTo(element: HTMLElement): void {
  element.scrollIntoView({ block: 'center', inline: 'nearest', behavior: reducedMotion() ? 'instant' : 'smooth' })
}

/** True if we are there; else leaves the page, and the tour goes on after the load. */
function goTo(stage: Stage, to: string): boolean | Promise<boolean> {
  const wanted = to.startsWith('/') ? to : `/apps/${to}`
  const here = path()
  if (matches(wanted, here) || (!to.startsWith('/') && area(here) === wanted)) return true
  if (!stage.leave(wanted)) return false
  const front = globals._oc_config?.modRewriteWorking || !location.pathname.includes('/index.php') ? '' : '/index.php'
  location.assign(`${webRoot()}${front}${wanted}${to.startsWith('/') ? '' : '/'}`)
  // The page goes; whoever waits for this goes with it.
  return new Promise(() => {})
}

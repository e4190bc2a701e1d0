// Pointing at an element of the page: by mouse or by keyboard, without the page noticing. Installed
// with the shield, before any listener of Nextcloud's, so that its menus stay open.

import { el, rect, visible } from '../page/dom.ts'
import { put } from '../view/spotlight.ts'

export interface Picker {
  /** Ends with the element, or with null. */
  pick(ring: HTMLElement, moved: (element: Element) => void): Promise<Element | null>
  cancel(): void
}

const HELD = ['pointerdown', 'pointerup', 'mousedown', 'mouseup', 'click', 'dblclick', 'auxclick', 'contextmenu', 'touchstart', 'touchend', 'keydown', 'keyup', 'keypress']

/** What a person means who points at an icon inside a button. */
const WHOLE = 'a[href], button, input, select, textarea, summary, [role=button], [role=menuitem], [role=tab], [data-cy-files-list-row-name]'

export function picker(own: () => HTMLElement | null): Picker {
  let now: Element | null = null
  let ring: HTMLElement | null = null
  let moved: (element: Element) => void = () => {}
  let end: ((element: Element | null) => void) | null = null

  const isOwn = (event: Event) => {
    const host = own()
    return !!host && event.composedPath().includes(host)
  }
  const take = (element: Element | null) => {
    if (!element || element === document.documentElement || element === document.body || !visible(element)) return
    now = element
    const { left, top, right, bottom } = rect(element)
    if (ring) put(ring, left - 3, top - 3, right + 3, bottom + 3)
    moved(element)
  }
  const stop = (element: Element | null) => {
    ring?.remove()
    ring = null
    end?.(element)
    end = null
  }
  const keys: Record<string, () => void> = {
    ArrowUp: () => take(now?.parentElement ?? null),
    ArrowDown: () => take([...(now?.children ?? [])].find(visible) ?? null),
    ArrowLeft: () => take(sibling(now, 'previousElementSibling')),
    ArrowRight: () => take(sibling(now, 'nextElementSibling')),
    Enter: () => stop(now),
    Escape: () => stop(null),
  }

  const look = (event: Event) => {
    if (!end) return
    if (event instanceof KeyboardEvent) {
      // While pointing, these keys are ours wherever the focus is.
      const act = event.type === 'keydown' ? keys[event.key] : undefined
      if (!act && isOwn(event)) return
      if (act) act()
      if (event.key === 'Tab') return
    } else if (isOwn(event)) return
    event.preventDefault()
    event.stopImmediatePropagation()
    if (event.type === 'click') stop(now)
  }
  for (const type of HELD) addEventListener(type, look, { capture: true, passive: false })
  addEventListener('pointermove', (event) => {
    if (!end || isOwn(event)) return
    const at = document.elementFromPoint(event.clientX, event.clientY)
    take(at?.closest(WHOLE) ?? at)
  }, true)

  return {
    pick(shown, tell) {
      stop(null)
      ring = shown
      moved = tell
      return new Promise((resolve) => {
        end = resolve
        const first = ['#content main', '#content', 'main', 'body > *'].map((css) => document.querySelector(css)).find((each) => each !== null)
        take(first ?? null)
      })
    },
    cancel: () => stop(null),
  }
}

function sibling(element: Element | null, way: 'previousElementSibling' | 'nextElementSibling'): Element | null {
  let at = element?.[way] ?? null
  while (at && !visible(at)) at = at[way]
  return at
}

export const ringElement = (): HTMLElement => el('div', { class: 'ring', 'aria-hidden': 'true' })

// Nextcloud's menus close on a click, a key or a focus outside of them, and their focus traps fetch
// the focus back. The shield is registered on `window` before any of Nextcloud's own listeners: an
// event that comes from the player's own element goes to the player and nowhere else, so a menu
// stays open under a bubble that explains it.

/** Installed once by the loader; the engine sets `element` and `heard`. */
export interface Shield {
  /** The player's element; events from inside it are hidden from the page. */
  element: HTMLElement | null
  /** Gets every hidden event; the path's first entry is the real target. */
  heard: (event: Event) => void
  /** Sees what the page does, without hiding it; absent while no tour runs. */
  seen: ((event: Event) => void) | null
}

const HIDDEN = [
  'pointerdown', 'pointerup', 'mousedown', 'mouseup', 'click', 'dblclick', 'auxclick', 'contextmenu', 'touchstart', 'touchend',
  'keydown', 'keyup', 'keypress', 'focusin', 'focusout', 'focus', 'blur', 'input', 'change', 'wheel', 'scroll',
]

export function shield(): Shield {
  const it: Shield = { element: null, heard: () => {}, seen: null }
  const look = (event: Event) => {
    const { element } = it
    if (element && (event.composedPath().includes(element) || (event as FocusEvent).relatedTarget === element)) {
      event.stopImmediatePropagation()
      it.heard(event)
    } else if (it.seen && event.isTrusted) {
      it.seen(event)
    }
  }
  for (const type of HIDDEN) addEventListener(type, look, true)
  return it
}

// Waiting for the page, by conditions and not by times. One observer, which runs only while
// somebody waits or a step shows.

type Look = () => void

const looks = new Set<Look>()
let observer: MutationObserver | null = null
let stop: AbortController | null = null
let ticking = 0
let planned = false

function plan(): void {
  if (planned) return
  planned = true
  requestAnimationFrame(() => {
    planned = false
    for (const look of [...looks]) look()
  })
}

/** Calls `look` at most once a frame whenever the page may have changed, until the result is called. */
export function watch(look: Look): () => void {
  looks.add(look)
  if (!observer) {
    observer = new MutationObserver(plan)
    observer.observe(document, {
      subtree: true,
      childList: true,
      attributes: true,
      attributeFilter: ['class', 'style', 'hidden', 'open', 'aria-expanded', 'aria-hidden', 'aria-selected', 'data-cy-files-list-row-name'],
    })
    stop = new AbortController()
    for (const type of ['transitionend', 'animationend', 'resize', 'load']) {
      addEventListener(type, plan, { capture: true, passive: true, signal: stop.signal })
    }
    // What changes without a sign in this document: frames, style sheets, media queries.
    ticking = window.setInterval(plan, 500)
  }
  return () => {
    looks.delete(look)
    if (looks.size) return
    observer?.disconnect()
    observer = null
    stop?.abort()
    clearInterval(ticking)
  }
}

/** Whether anything is being watched; tests ask. */
export const watching = (): boolean => observer !== null

/** Resolves with the first answer that is not null, false or undefined; null after `seconds` or an abort. */
export function until<T>(ask: () => T | null | undefined | false, seconds: number, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve) => {
    const end = (answer: T | null) => {
      unwatch()
      clearTimeout(timer)
      signal.removeEventListener('abort', given)
      resolve(answer)
    }
    const look = () => {
      const answer = ask()
      if (answer) end(answer)
    }
    const given = () => end(null)
    const timer = setTimeout(given, seconds * 1000)
    signal.addEventListener('abort', given)
    const unwatch = watch(look)
    if (signal.aborted) given()
    else look()
  })
}

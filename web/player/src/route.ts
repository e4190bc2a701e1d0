// Where the page is, as tours write it: the path below the web root, without `/index.php` and
// without a final slash. Single-page applications change it without a load; `onRoute` tells.

/** `/nextcloud/index.php/apps/files/?dir=/x` → `/apps/files` for the web root `/nextcloud`. */
export function normalised(path: string, root: string): string {
  let below = root && path.startsWith(root) ? path.slice(root.length) : path
  below = below.replace(/^\/index\.php(?=\/|$)/, '').replace(/\/+$/, '')
  return below.startsWith('/') ? below : `/${below}`
}

/** `*` stands for one part, a final `**` for any rest, none included. */
export function matches(pattern: string, path: string): boolean {
  const wanted = pattern.replace(/\/+$/, '').split('/')
  const have = path.split('/')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '**') return true
    if (have[i] === undefined || (wanted[i] !== '*' && wanted[i] !== have[i])) return false
  }
  return wanted.length === have.length
}

/** The part that says which app a path belongs to: `/apps/files`, `/settings`. */
export function area(path: string): string {
  const [, first, second] = path.split('/')
  return first === 'apps' ? `/apps/${second ?? ''}` : `/${first ?? ''}`
}

interface Navigation extends EventTarget {
  readonly currentEntry: unknown
}

/** Calls `changed` after every change of address until the returned function is called. */
export function onRoute(changed: () => void): () => void {
  let last = location.href
  const look = () => {
    if (location.href === last) return
    last = location.href
    changed()
  }
  const stop = new AbortController()
  const { signal } = stop
  addEventListener('popstate', look, { signal })
  addEventListener('hashchange', look, { signal })
  const navigation = (window as { navigation?: Navigation }).navigation
  if (navigation) {
    navigation.addEventListener('currententrychange', look, { signal })
    return () => stop.abort()
  }
  const unwrap = (['pushState', 'replaceState'] as const).map((name) => wrap(name, look))
  return () => {
    stop.abort()
    for (const undo of unwrap) undo()
  }
}

/** Others may wrap after us: then ours stays in their chain, and only falls silent. */
function wrap(name: 'pushState' | 'replaceState', look: () => void): () => void {
  const original = history[name]
  let active = true
  const wrapped: typeof original = function (this: History, ...args) {
    original.apply(this, args)
    if (active) queueMicrotask(look)
  }
  history[name] = wrapped
  return () => {
    active = false
    if (history[name] === wrapped) history[name] = original
  }
}

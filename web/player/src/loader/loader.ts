// On every page of a signed-in person: installs the shield, adds the ways in, and decides from what
// is already here whether the engine is needed. Mostly it is not, and nothing of the loader runs on.

import { holdsOn } from '../condition.ts'
import type { Context } from '../context.ts'
import type { Manifest } from '../format.ts'
import { load, position, type Cache } from '../page/cache.ts'
import { globals, major, pageFacts, user } from '../page/facts.ts'
import { offerable } from '../progress.ts'
import { helpButton } from './button.ts'
import { shield } from './shield.ts'
import { helpLabel } from './words.ts'

/** Put here by the server. */
declare const __PASSEUR_MANIFEST__: Manifest

const ACCOUNT = '[aria-controls="header-menu-user-menu"]'

const tag = (document.currentScript as HTMLScriptElement | null)?.dataset
if (tag?.passeurTours && user() && /^body-(user|settings)$/.test(document.body.id)) begin(tag, __PASSEUR_MANIFEST__)

function begin(tag: DOMStringMap, manifest: Manifest): void {
  const cache = load(user())
  const guard = shield()
  const start = (why: Context['why'], more?: Partial<Context>) => {
    import(manifest.engine)
      .then((engine) => engine.start({ manifest, tag, cache, shield: guard, why, ...more } satisfies Context))
      .catch(() => {
        // Without an engine there is no tour; the page is as it always was.
      })
  }
  if (manifest.help) helpButton(helpLabel(), (opener) => start('help', { opener }))
  if (manifest.help || (tag.admin && globals._oc_isadmin)) {
    addEventListener('click', ({ target }) => (target as Element).closest?.(ACCOUNT) && start('menu'), true)
  }

  const asked = new URLSearchParams(location.search).get('tour')
  if (tag.preview) start('preview', { tour: tag.preview })
  else if (position(user())) start('resume')
  else if (asked && manifest.tours.some(({ id }) => id === asked)) start('tour', { tour: asked })
  else if (due(tag, manifest, cache)) idle(() => start('offer'))
}

/** Whether some tour could come up here; what only the engine can judge counts as "could". */
function due(tag: DOMStringMap, manifest: Manifest, { progress, asking }: Cache): boolean {
  const now = pageFacts(tag)
  return manifest.tours.some((tour) => offerable(tour, progress, major(), asking) && holdsOn(tour.when, now) !== false)
}

function idle(then: () => void): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(then, { timeout: 3000 })
  else setTimeout(then, 300)
}

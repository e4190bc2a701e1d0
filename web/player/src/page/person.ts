// Who sits there and in front of what, for the conditions of conditions.ts.

import type { Facts } from '../conditions.ts'
import type { Progress } from '../progress.ts'
import type { Cache } from './cache.ts'
import { pageFacts } from './facts.ts'

export const phone = (): boolean => matchMedia('(max-width: 639px)').matches

const media = (query: string): boolean => matchMedia(query).matches

function themes(): Set<string> {
  const named = document.body.dataset.themes ?? ''
  const dark = /dark/.test(named) || (!/light/.test(named) && media('(prefers-color-scheme: dark)'))
  const result = new Set([dark ? 'dark' : 'light'])
  if (/highcontrast/.test(named) || media('(prefers-contrast: more)') || media('(forced-colors: active)')) result.add('highcontrast')
  return result
}

/** The facts of now; `has` and `flags` are the running tour's. */
export function facts(tag: DOMStringMap, cache: Cache, progress: Progress, more: Partial<Facts> = {}): Facts {
  return {
    ...pageFacts(tag),
    groups: cache.groups ?? null,
    device: phone() ? 'phone' : 'desktop',
    themes: themes(),
    site: tag.site ?? '',
    loginDays: cache.first ? Math.floor((Date.now() - Date.parse(cache.first)) / 86_400_000) + 1 : null,
    now: Date.now(),
    flags: {},
    seen: (tour) => progress.tours[tour]?.s,
    has: () => false,
    ...more,
  }
}

// What the page itself says about the person, the server and the theme (tours.md 7.3).

import type { PageFacts } from '../condition.ts'
import { normalised } from '../route.ts'

/** Nextcloud's script globals, all of them absent on some page of some version. */
interface Globals {
  _oc_config?: { version?: string; modRewriteWorking?: boolean }
  _oc_webroot?: string
  _oc_isadmin?: boolean
  _oc_appswebroots?: Record<string, string>
}

export const globals = window as unknown as Globals

export const user = (): string => document.head.dataset.user ?? ''

export const webRoot = (): string => globals._oc_webroot ?? ''

export const path = (): string => normalised(location.pathname, webRoot())

/** The app whose page this is, by its address. */
export const currentApp = (): string => /^\/apps\/([^/]+)/.exec(path())?.[1] ?? path().split('/')[1] ?? ''

/** Apps of this person, with the versions that Passeur read from the page. */
function apps(known: string): Map<string, string | null> | null {
  const roots = globals._oc_appswebroots
  if (!roots) return null
  const result = new Map<string, string | null>(Object.keys(roots).map((id) => [id, null]))
  for (const pair of known.split(' ')) {
    const [id, version] = pair.split('=', 2)
    if (id && version) result.set(id, version)
  }
  return result
}

export const pageFacts = (tag: DOMStringMap): PageFacts => ({
  nc: globals._oc_config?.version ?? null,
  apps: apps(tag.apps ?? ''),
  admin: globals._oc_isadmin ?? null,
  lang: document.documentElement.lang || 'en',
  path: path(),
})

export const major = (): string => (globals._oc_config?.version ?? '').split('.')[0] ?? ''

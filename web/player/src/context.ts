// What the loader hands to the engine.

import type { Manifest } from './format.ts'
import type { Shield } from './loader/shield.ts'
import type { Cache } from './page/cache.ts'

export interface Context {
  manifest: Manifest
  /** The `data-*` of the injected tag. */
  tag: DOMStringMap
  cache: Cache
  shield: Shield
  /** Why the engine was loaded. */
  why: 'offer' | 'resume' | 'help' | 'tour' | 'preview' | 'menu'
  tour?: string
  /** Where the focus goes back to when the help closes. */
  opener?: HTMLElement
}

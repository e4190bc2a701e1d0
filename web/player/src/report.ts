// Counters and missing targets for the host: no person, no address, no content; nothing at all if
// the browser asks not to be followed (GPC, DNT).

import type { Context } from './context.ts'
import { currentApp, globals, path } from './page/facts.ts'
import { phone } from './page/person.ts'

export type What = 'offered' | 'started' | 'later' | 'dismissed' | 'shown' | 'next' | 'back' | 'paused' | 'done' | 'missing' | 'error'

interface Missing {
  target: string
  candidate: number
  app: string
  version: string
  route: string
}

const ADDRESS = '/_passeur/tours/events'
const BATCH = 40

export class Report {
  private readonly silent: boolean
  private events: { tour: string; rev: number; step: string; what: What }[] = []
  private missed: Missing[] = []
  private readonly told = new Set<string>()

  constructor(private readonly context: Context) {
    const asked = navigator as { globalPrivacyControl?: boolean; doNotTrack?: string | null }
    this.silent = asked.globalPrivacyControl === true || asked.doNotTrack === '1' || !!context.tag.preview
    addEventListener('pagehide', () => this.send())
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.send())
  }

  count(tour: string, rev: number, what: What, step = ''): void {
    if (this.silent || !this.context.manifest.report.counters) return
    this.events.push({ tour, rev, step, what })
    if (this.events.length >= BATCH) this.send()
  }

  /** `candidate` is -1 if none was found. One in N is sent, each target once a page. */
  missing(target: string, candidate: number, versions: ReadonlyMap<string, string | null> | null): void {
    const every = this.context.manifest.report.missing
    if (this.silent || !every || candidate === 0 || this.told.has(target)) return
    this.told.add(target)
    if (Math.random() * every >= 1 || this.missed.length >= 10) return
    const app = currentApp()
    this.missed.push({ target, candidate, app, version: versions?.get(app) ?? '', route: pattern(path()) })
  }

  send(): void {
    if (!this.events.length && !this.missed.length) return
    const data = {
      $v: 1,
      token: this.context.tag.token ?? '',
      nc: globals._oc_config?.version ?? '',
      lang: document.documentElement.lang,
      device: phone() ? 'phone' : 'desktop',
      events: this.events,
      missing: this.missed,
    }
    this.events = []
    this.missed = []
    navigator.sendBeacon?.(ADDRESS, new Blob([JSON.stringify(data)], { type: 'application/json' }))
  }
}

/** `/apps/files/files/1234` → `/apps/files/*`: names and numbers say something about the person. */
export function pattern(path: string): string {
  const [, first, second, third] = path.split('/')
  if (first === 'apps') return third === undefined ? `/apps/${second}` : `/apps/${second}/*`
  if (first === 'settings') return `/settings/${second ?? '*'}/*`
  return `/${first === 'dashboard' ? first : '*'}`
}

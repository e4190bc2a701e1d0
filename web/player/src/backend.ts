// Where progress lives besides this browser: in the person's own cloud (a DAV property), in Passeur's
// store, or nowhere. Whatever fails, the local copy goes on and nobody is bothered.

import type { Context } from './context.ts'
import { save } from './page/cache.ts'
import { user, webRoot } from './page/facts.ts'
import { merge, read, type Entry, type Progress } from './progress.ts'

/** Reads and writes the whole document; `push` may answer with what it became. */
interface Backend {
  pull(): Promise<Progress>
  push(progress: Progress, leaving: boolean): Promise<Progress | null>
}

const NAMESPACE = 'urn:passeur:tours'
const STORE = '/_passeur/tours/progress'
const ON = '/_passeur/tours/on'
const PULLED = 'passeur.tours.pulled'
/** Steps follow each other quickly: one write for some of them. */
const DELAY = 1500

/** The server says that tours were switched off. */
export class Gone extends Error {}

const escaped = (text: string): string => text.replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`)

async function checked(address: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(address, { credentials: 'same-origin', ...init })
  if (answer.status === 410) throw new Gone()
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`)
  return answer
}

function dav(): Backend {
  const call = (method: string, body: string, leaving = false) =>
    checked(`${webRoot()}/remote.php/dav/files/${encodeURIComponent(user())}/`, {
      method,
      keepalive: leaving,
      headers: {
        'Content-Type': 'application/xml; charset=utf-8',
        Depth: '0',
        requesttoken: document.head.dataset.requesttoken ?? '',
        'X-Requested-With': 'XMLHttpRequest',
      },
      body: `<?xml version="1.0"?>${body}`,
    })
  return {
    async pull() {
      const answer = await call('PROPFIND', `<d:propfind xmlns:d="DAV:" xmlns:p="${NAMESPACE}"><d:prop><p:progress/></d:prop></d:propfind>`)
      const xml = new DOMParser().parseFromString(await answer.text(), 'application/xml')
      const text = xml.getElementsByTagNameNS(NAMESPACE, 'progress')[0]?.textContent
      return read(text ? JSON.parse(text) : null)
    },
    async push(progress, leaving) {
      const value = escaped(JSON.stringify(progress))
      const body = `<d:propertyupdate xmlns:d="DAV:" xmlns:p="${NAMESPACE}"><d:set><d:prop><p:progress>${value}</p:progress></d:prop></d:set></d:propertyupdate>`
      const answer = await call('PROPPATCH', body, leaving)
      if (!/ 200 /.test(await answer.text())) throw new Error('the property was refused')
      return null
    },
  }
}

function store(token: string): Backend {
  const headers = { 'X-Passeur-Token': token, 'Content-Type': 'application/json' }
  return {
    pull: async () => read(await (await checked(STORE, { headers })).json()),
    push: async (progress, leaving) =>
      read(await (await checked(STORE, { method: 'PUT', headers, body: JSON.stringify(progress), keepalive: leaving })).json()),
  }
}

/** The one copy that the engine works with. */
export class Memory {
  private readonly backend: Backend | null
  private timer = 0
  private pulled: Promise<void> | null = null

  constructor(
    private readonly context: Context,
    private readonly gone: () => void,
  ) {
    const kind = context.tag.preview ? 'local' : context.tag.progress
    this.backend = kind === 'dav' ? dav() : kind === 'store' ? store(context.tag.token ?? '') : null
    context.cache.progress = read(context.cache.progress)
    addEventListener('pagehide', () => this.timer && void this.push(true))
  }

  get progress(): Progress {
    return this.context.cache.progress
  }

  /** Merges the other copy in; once per tab and session unless `fresh`. */
  pull(fresh = false): Promise<void> {
    if (!this.backend || (!fresh && this.pulled)) return this.pulled ?? Promise.resolve()
    if (!fresh && this.session()) return Promise.resolve()
    this.pulled = this.backend.pull().then(
      (theirs) => {
        this.keep(merge(this.progress, theirs))
        this.session(true)
      },
      (error) => {
        // Whoever asks next asks again.
        this.pulled = null
        this.failed(error)
      },
    )
    return this.pulled
  }

  /**
   * Whether tours, or this one, are still shown here. A page may be open for days, and what a host
   * switches off must not begin any more; a server that says nothing switches nothing off.
   */
  async stillOn(tour = ''): Promise<boolean> {
    if (this.context.tag.preview) return true
    try {
      const { status } = await fetch(`${ON}?tour=${encodeURIComponent(tour)}`, { credentials: 'same-origin' })
      if (status === 410) this.gone()
      return status !== 410 && status !== 404
    } catch {
      return true
    }
  }

  set(id: string, entry: Entry): void {
    const { [id]: before } = this.progress.tours
    // Two changes within a second are in the order in which they were made.
    const t = before && before.t >= entry.t ? before.t + 1 : entry.t
    this.keep(merge(this.progress, { ...this.progress, tours: { [id]: { ...entry, t } } }))
    this.later()
  }

  offered(at: number): void {
    this.keep({ ...this.progress, offered: Math.max(at, this.progress.offered) })
    this.later()
  }

  /** Everything as on the first day, on every device. */
  reset(at: number): void {
    this.keep(merge({ ...this.progress, reset: at, offered: 0 }, { ...this.progress, reset: at, offered: 0 }))
    this.later()
  }

  /** Writes what is waiting now: before the page is left. */
  flush(): void {
    if (this.timer) void this.push(true)
  }

  private keep(progress: Progress): void {
    this.context.cache.progress = progress
    if (!this.context.tag.preview) save(user(), this.context.cache)
  }

  private later(): void {
    if (!this.backend) return
    clearTimeout(this.timer)
    this.timer = window.setTimeout(() => void this.push(false), DELAY)
  }

  private async push(leaving: boolean): Promise<void> {
    clearTimeout(this.timer)
    this.timer = 0
    try {
      // Another device may have written meanwhile; on leaving there is no time to ask.
      if (!leaving) await this.pull(true)
      const became = await this.backend?.push(this.progress, leaving)
      if (became) this.keep(merge(this.progress, became))
    } catch (error) {
      this.failed(error)
    }
  }

  private failed(error: unknown): void {
    if (error instanceof Gone) this.gone()
  }

  private session(set = false): boolean {
    try {
      if (set) sessionStorage.setItem(PULLED, user())
      return sessionStorage.getItem(PULLED) === user()
    } catch {
      return false
    }
  }
}

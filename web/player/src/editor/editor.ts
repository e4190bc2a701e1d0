// The editor of tours. It comes in the place of the loader into the pages of whoever holds a session
// of it, and into no others: keeps a draft at Passeur, lets one point at things in the page, and shows
// what was written with the player that everybody gets.

import type { Context } from '../context.ts'
import type { Manifest, ManifestTour, Target, Targets } from '../format.ts'
import { shield } from '../loader/shield.ts'
import { position } from '../page/cache.ts'
import { globals, pageFacts, user } from '../page/facts.ts'
import { empty, seconds } from '../progress.ts'
import { find } from '../targets.ts'
import { json } from '../words.ts'
import { Draft, type Files } from './draft.ts'
import { Panel, type Problem } from './panel.ts'
import { picker } from './pick.ts'
import { Surface } from './surface.ts'
import { say } from './words.ts'

const ADDRESS = '/_passeur/tours/draft'
/** Writing goes on: what is kept follows it at some distance. */
const DELAY = 800

interface Opened {
  tour: string
  ends: number
  manifest: Manifest
  files: Files
}

class Editor {
  private draft!: Draft
  private manifest!: Manifest
  private panel!: Panel
  private targets: Targets = {}
  private timer = 0
  private readonly cache: Context['cache'] = { progress: empty() }
  /** What the player is given; it keeps it, so it is changed and never replaced. */
  private shown: Manifest | null = null

  constructor(
    private readonly tag: DOMStringMap,
    private readonly surface: Surface,
    private readonly picking: ReturnType<typeof picker>,
    private readonly players: Context['shield'],
  ) {}

  async begin(): Promise<void> {
    const opened = await json<Opened>(ADDRESS)
    this.manifest = opened.manifest
    const lang = document.documentElement.lang || 'en'
    this.draft = new Draft(opened.tour, opened.files, lang)
    this.targets = await this.packs()
    this.panel = new Panel(this.surface, this.draft, lang, this.picking, {
      changed: () => this.changed(),
      known: (element) => this.known(element),
      preview: (from) => void this.preview(from),
      finish: () => void this.finish(),
      apps: Object.keys(globals._oc_appswebroots ?? {}).sort(),
      labels: () => Object.keys(this.targets).sort(),
    })
    this.panel.show()
    this.surface.stayAbove('passeur-tours')
    await this.keep()
    // A preview that went to another page goes on there.
    if (position(user())) await this.play('resume')
  }

  private async packs(): Promise<Targets> {
    const packs = await Promise.all(
      Object.entries(this.manifest.packs).map(async ([area, url]) => {
        const pack = await json<{ targets: Record<string, Target> }>(url).catch(() => ({ targets: {} }))
        return Object.entries(pack.targets).map(([name, target]) => [`${area}.${name}`, target] as const)
      }),
    )
    return Object.fromEntries(packs.flat())
  }

  /** The name by which a target pack knows an element, the most particular first. */
  private known(element: Element): string | null {
    const facts = pageFacts(this.tag)
    const names = Object.keys(this.targets).filter((name) => find(this.targets, name, {}, facts)?.element === element)
    return names.sort((a, b) => b.length - a.length)[0] ?? null
  }

  private changed(): void {
    clearTimeout(this.timer)
    this.panel.say(say('saving'))
    this.timer = window.setTimeout(() => void this.keep(), DELAY)
  }

  private async keep(): Promise<void> {
    clearTimeout(this.timer)
    try {
      const answer = await fetch(ADDRESS, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(this.draft.files()) })
      if (answer.status === 401) return this.panel.say(say('gone'))
      if (!answer.ok) throw new Error(String(answer.status))
      const { problems } = (await answer.json()) as { problems: Problem[] }
      this.panel.tell(problems)
    } catch (error) {
      this.panel.say(say('unsaved', { why: error instanceof Error ? error.message : '' }))
    }
  }

  /** The tour as the player would get it, with its files from the draft. */
  private entry(): ManifestTour {
    const { id, tour } = this.draft
    const files = Object.keys(this.draft.files())
    const urls = (pattern: RegExp) => Object.fromEntries(files.flatMap((path) => { const name = pattern.exec(path)?.[1]; return name ? [[name, `${ADDRESS}/${path}`]] : [] }))
    const own = urls(/^targets\/(.+)\.json$/)
    const known = this.manifest.tours.find((each) => each.id === id)
    const packs = { ...this.manifest.packs, ...own }
    this.shown ??= { ...this.manifest, report: { counters: false, missing: 0 } }
    Object.assign(this.shown, { packs })
    return {
      id, rev: tour.rev, kind: tour.kind ?? 'tour', offer: { auto: false, priority: 0, delay: 0, again: 'never' },
      file: `${ADDRESS}/${id}/tour.json`, locales: urls(/\/locales\/(.+)\.json$/), packs: Object.keys(packs), media: known?.media ?? {},
    }
  }

  private async preview(from?: string): Promise<void> {
    await this.keep()
    const { id, tour } = this.draft
    this.cache.progress = empty()
    if (from) this.cache.progress.tours[id] = { r: tour.rev, s: 'active', step: from, t: seconds() }
    await this.play('preview')
  }

  private async play(why: 'preview' | 'resume'): Promise<void> {
    const entry = this.entry()
    const manifest = this.shown as Manifest
    manifest.tours = [entry, ...this.manifest.tours.filter(({ id }) => id !== entry.id)]
    this.panel.small(true)
    const engine = (await import(manifest.engine)) as { start(context: Context): void }
    engine.start({ manifest, tag: { ...this.tag, preview: entry.id }, cache: this.cache, shield: this.players, why, tour: entry.id })
  }

  private async finish(): Promise<void> {
    clearTimeout(this.timer)
    await fetch(ADDRESS, { method: 'DELETE' }).catch(() => null)
    this.surface.close()
    location.reload()
  }
}

const tag = (document.currentScript as HTMLScriptElement | null)?.dataset
if (tag?.passeurTours && user() && /^body-(user|settings)$/.test(document.body.id)) {
  // Both before anything of Nextcloud's listens.
  const [own, players] = [shield(), shield()]
  const surface = new Surface(own)
  new Editor(tag, surface, picker(() => surface.element), players).begin().catch((error: unknown) => {
    // Without its draft there is nothing to write on; the page is as it always was.
    console.debug('passeur: no editor', error)
  })
}

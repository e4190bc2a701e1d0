// The engine, loaded only when a tour is due, goes on, or somebody asks for help.

import { Memory } from './backend.ts'
import { holds } from './conditions.ts'
import type { Context } from './context.ts'
import type { Lang, ManifestTour, Targets, Target, Tour } from './format.ts'
import { busy, otherTours, writing } from './page/dom.ts'
import { keepPosition, position, save } from './page/cache.ts'
import { globals, major, path, user, webRoot } from './page/facts.ts'
import { facts } from './page/person.ts'
import { until } from './page/watch.ts'
import { offerable, offeredToday, seconds } from './progress.ts'
import { Report } from './report.ts'
import { area } from './route.ts'
import { Run } from './run.ts'
import { addEntries, type Entry } from './view/entries.ts'
import type { Button } from './view/bubble.ts'
import { help, type Item } from './view/help.ts'
import { Host } from './view/host.ts'
import { card } from './view/offer.ts'
import { json, strings, type Words } from './words.ts'

let engine: Engine | null = null

/** Called by the loader, each time it has a reason. */
export function start(context: Context): void {
  engine ??= new Engine(context)
  void engine.handle(context).catch((error: unknown) => {
    // A tour that cannot be had must not disturb the page.
    console.debug('passeur: no tour', error)
  })
}

const GROUPS_FOR = 86_400
/** How long an offer waits for a page that is busy with something else. */
const BUSY_FOR = 600
/** Milliseconds without a dialog before an offer. */
const CALM = 800

class Engine {
  private readonly host: Host
  private readonly memory: Memory
  private readonly report: Report
  private ui: Promise<Words> | null = null
  private closing: (() => void) | null = null
  private run: Run | null = null
  private off = false

  constructor(private readonly context: Context) {
    this.host = new Host(context.shield)
    this.memory = new Memory(context, () => this.gone())
    this.report = new Report(context)
    if (!context.cache.first) {
      context.cache.first = new Date().toISOString().slice(0, 10)
      save(user(), context.cache)
    }
  }

  async handle({ why, tour, opener }: Context): Promise<void> {
    if (this.off) return
    switch (why) {
      case 'menu':
        return addEntries(await this.entries())
      case 'help':
        return this.help(opener)
      case 'resume':
        return this.resume()
      case 'tour':
      case 'preview':
        await this.memory.pull()
        return this.start(tour ?? '')
      case 'offer':
        return this.offer()
    }
  }

  private words(): Promise<Words> {
    this.ui ??= strings(this.context.manifest.ui, this.lang())
    return this.ui
  }

  private lang(): Lang {
    return document.documentElement.lang || 'en'
  }

  /** The way to the help, and for admins the way to Passeur's own page. */
  private async entries(): Promise<Entry[]> {
    const { manifest, tag } = this.context
    const words = await this.words()
    const entries: Entry[] = []
    if (manifest.help) entries.push({ id: 'passeur-tours-entry', label: words.text('help.entry'), icon: 'help', go: (opener) => void this.help(opener) })
    if (tag.admin && globals._oc_isadmin) entries.push({ id: 'passeur-admin-entry', label: words.text('admin.entry'), icon: 'over', go: tag.admin })
    return entries
  }

  private tour(id: string): ManifestTour | undefined {
    return this.context.manifest.tours.find((each) => each.id === id)
  }

  /** Groups are asked for once a day, and only if a condition may want them. */
  private async groups(): Promise<void> {
    const { cache, manifest } = this.context
    if (cache.groups && seconds() - (cache.asked ?? 0) < GROUPS_FOR) return
    if (!JSON.stringify(manifest.tours.map(({ when }) => when ?? {})).includes('"group"')) return
    try {
      const answer = await fetch(`${webRoot()}/ocs/v2.php/cloud/user?format=json`, { headers: { 'OCS-APIRequest': 'true' } })
      const { ocs } = (await answer.json()) as { ocs: { data: { groups?: string[] } } }
      cache.groups = ocs.data.groups ?? []
      cache.asked = seconds()
      save(user(), cache)
    } catch {
      // Unknown groups start nothing.
    }
  }

  private async offer(): Promise<void> {
    if (otherTours()) return
    await Promise.all([this.memory.pull(), this.groups()])
    if (this.off) return
    const { progress } = this.memory
    const { tag, cache, manifest } = this.context
    const now = facts(tag, cache, progress)
    const due = manifest.tours.filter((each) => offerable(each, progress, major(), cache.asking) && holds(each.when, now) === true)
    const tour = due.find(({ id }) => id === cache.asking) ?? due[0]
    if (!tour) return
    const words = await this.words()
    const waiting = new AbortController()
    if (tour.offer.delay) await new Promise((resolve) => setTimeout(resolve, tour.offer.delay * 1000))
    // Dialogs of the page come a moment after it: quiet is what stays quiet.
    for (let calm = false; !calm; calm = this.quiet()) {
      if (!(await until(() => this.quiet(), BUSY_FOR, waiting.signal))) return
      await new Promise((resolve) => setTimeout(resolve, CALM))
    }
    if (this.run || this.closing || this.off) return
    this.context.shield.seen = null
    this.ask(tour, words)
  }

  private wizard: 'none' | 'coming' | 'open' | null = null
  private typed = 0

  /** No dialog, no other tour, nobody typing, and the first-run wizard neither open nor to come. */
  private quiet(): boolean {
    if (this.wizard === null) {
      const comes = this.context.tag.wizard !== 'ignore' && document.querySelector('script[src*="firstrunwizard-activate"]')
      this.wizard = comes ? 'coming' : 'none'
      this.context.shield.seen = ({ type }) => {
        if (type === 'keydown') this.typed = Date.now()
      }
    }
    const there = document.getElementById('firstrunwizard')
    if (this.wizard === 'coming' && there) this.wizard = 'open'
    if (this.wizard === 'open' && !there) this.wizard = 'none'
    return this.wizard === 'none' && !busy() && !writing() && Date.now() - this.typed > 3000 && document.visibilityState === 'visible'
  }

  private ask(tour: ManifestTour, words: Words): void {
    const { progress } = this.memory
    const going = progress.tours[tour.id]?.s === 'active'
    const mark = (s: 'offered' | 'dismissed') => this.memory.set(tour.id, { r: tour.rev, s, t: seconds(), flags: { nc: major() } })
    const later = () => {
      this.answered()
      this.report.count(tour.id, tour.rev, 'later')
    }
    if (!offeredToday(progress)) this.memory.offered(seconds())
    if (this.context.cache.asking !== tour.id) {
      if (!going) mark('offered')
      this.report.count(tour.id, tour.rev, 'offered')
      this.asking(tour.id)
    }
    const title = words.text(`tour.${tour.id}.title`)
    this.closing = card(
      this.host,
      words,
      going ? words.text('offer.continue', { title }) : title,
      words.text(`tour.${tour.id}.summary`),
      [
        {
          text: words.text('never'),
          kind: 'plain',
          act: () => {
            this.answered()
            this.report.count(tour.id, tour.rev, 'dismissed')
            mark('dismissed')
          },
        },
        { text: words.text('later'), kind: 'plain', act: later },
        { text: words.text(going ? 'continue' : 'start'), kind: 'main', act: () => void this.start(tour.id) },
      ],
      later,
    )
  }

  private asking(tour?: string): void {
    this.context.cache.asking = tour
    save(user(), this.context.cache)
  }

  private answered(): void {
    this.closing = null
    this.asking()
  }

  /** In the middle of a tour, after a page load: goes on at once if the tour or the person meant to. */
  private async resume(): Promise<void> {
    const at = position(user())
    const tour = at && this.tour(at.tour)
    if (!at || !tour) return keepPosition(null)
    const meant = (at.until ?? 0) > Date.now() || area(at.path) === area(path())
    if (meant) return this.start(tour.id, at)
    const words = await this.words()
    const title = words.text(`tour.${tour.id}.title`)
    this.memory.offered(seconds())
    const later = () => {
      this.closing = null
      keepPosition(null)
    }
    const buttons: Button[] = [
      { text: words.text('later'), kind: 'plain', act: later },
      { text: words.text('continue'), kind: 'main', act: () => void this.start(tour.id, at) },
    ]
    this.closing = card(this.host, words, words.text('offer.continue', { title }), words.text('offer.left'), buttons, later)
  }

  private async start(id: string, at?: Parameters<Run['begin']>[0]): Promise<void> {
    const entry = this.tour(id)
    if (!entry) return
    this.closing?.()
    this.answered()
    this.run?.pause()
    // Whoever takes a tour today is not asked about another one.
    this.memory.offered(seconds())
    const [tour, targets, own, ui, isOn] = await Promise.all([
      json<Tour>(entry.file),
      this.packs(entry),
      strings(entry.locales, this.lang()),
      this.words(),
      this.memory.stillOn(id),
    ])
    if (!isOn || this.off) return keepPosition(null)
    const before = this.memory.progress.tours[id]
    const left = before?.s === 'active' && before.step ? { step: before.step, trail: [], flags: before.flags ?? {} } : undefined
    this.run = new Run(this.context, this.host, this.memory, this.report, { entry, tour, targets, strings: own, ui }, (how) => this.ended(how, ui))
    await this.run.begin(at ?? left)
  }

  private async packs(entry: ManifestTour): Promise<Targets> {
    const packs = await Promise.all(
      entry.packs.map(async (area) => {
        const pack = await json<{ targets: Record<string, Target> }>(this.context.manifest.packs[area] ?? '')
        return Object.entries(pack.targets).map(([name, target]) => [`${area}.${name}`, target] as const)
      }),
    )
    return Object.fromEntries(packs.flat())
  }

  private ended(how: 'done' | 'paused', ui: Words): void {
    this.run = null
    if (how === 'done') return this.host.say(ui.text('ended'))
    const close = card(this.host, ui, ui.text('paused.title'), ui.text('paused.text'), [{ text: ui.text('ok'), kind: 'plain', act: () => (this.closing = null) }], () => (this.closing = null))
    this.closing = close
  }

  private async help(opener?: HTMLElement): Promise<void> {
    const words = await this.words()
    // Asked anew, as another device may have gone on meanwhile, and the host may have switched it all off.
    await Promise.race([Promise.all([this.memory.stillOn(), this.memory.pull(true), this.groups()]), new Promise((resolve) => setTimeout(resolve, 1500))])
    if (this.off) return
    this.run?.pause()
    this.closing?.()
    const { manifest } = this.context
    this.closing = help(
      this.host,
      words,
      this.items(words),
      manifest,
      {
        start: (id) => void this.start(id),
        again: (id) => this.memory.set(id, { r: this.tour(id)?.rev ?? 1, s: 'offered', t: seconds() }),
        reset: () => this.memory.reset(seconds()),
      },
      opener,
    )
  }

  /** Every tour that could be taken from here, whatever page it begins on. */
  private items(words: Words): Item[] {
    const now = { ...facts(this.context.tag, this.context.cache, this.memory.progress), path: null }
    return this.context.manifest.tours
      .filter(({ when }) => holds(when, now) !== false)
      .map(({ id }) => {
        const status = this.memory.progress.tours[id]?.s
        return {
          id,
          title: words.text(`tour.${id}.title`),
          summary: words.text(`tour.${id}.summary`),
          status: !status || status === 'offered' ? 'new' : status,
        }
      })
  }

  /** Switched off meanwhile: away with everything, at once. */
  private gone(): void {
    this.off = true
    this.run?.pause()
    this.closing?.()
    this.host.destroy()
    for (const id of ['passeur-help', 'passeur-tours-entry']) document.getElementById(id)?.remove()
    keepPosition(null)
  }
}

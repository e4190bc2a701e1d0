// One tour from its first step to its last. Each step: ready the page, find the target, show the
// bubble, and wait for whatever ends it. All of it can stop at any moment; a step that was left says
// nothing any more (its signal is aborted).

import { act, needed, reach, scrollTo, type Opened, type Stage } from './actions.ts'
import { holds, type Facts } from './conditions.ts'
import type { Context } from './context.ts'
import type { Advance, ManifestTour, Missing, Step, Targets, Tour } from './format.ts'
import { afterChapter, chapterOf, choices, deeper, following, position, shown, step as stepOf } from './graph.ts'
import type { Memory } from './backend.ts'
import { keepPosition, type Position } from './page/cache.ts'
import { major, pageFacts, path, user, webRoot } from './page/facts.ts'
import { el, reducedMotion, visible } from './page/dom.ts'
import { facts as personFacts } from './page/person.ts'
import { rest, wake } from './page/traps.ts'
import { until, watch } from './page/watch.ts'
import { seconds } from './progress.ts'
import type { Report, What } from './report.ts'
import { matches, onRoute } from './route.ts'
import { find, type Found } from './targets.ts'
import { Bubble, type Button } from './view/bubble.ts'
import type { Host } from './view/host.ts'
import type { Words } from './words.ts'

/** After a navigation of the tour, a page load counts as part of it for so long. */
const NAVIGATION = 30_000
/** How long a target may take before the words are shown without it. */
const PATIENCE = 0.7
/** And how long before it counts as missing; less where the step can be done without. */
const TARGET = 6
const DISPENSABLE = 4
const WAIT = 15

export interface Loaded {
  entry: ManifestTour
  tour: Tour
  targets: Targets
  /** Of the tour, and of the player. */
  strings: Words
  ui: Words
}

export class Run {
  private readonly bubble: Bubble
  private readonly opened: Opened[] = []
  private trail: string[] = []
  private flags: Record<string, string>
  private current = ''
  private stop = new AbortController()
  private remove: (() => void) | null = null
  private gone: string | undefined

  constructor(
    private readonly context: Context,
    private readonly host: Host,
    private readonly memory: Memory,
    private readonly report: Report,
    private readonly loaded: Loaded,
    private readonly ended: (how: 'done' | 'paused') => void,
  ) {
    this.bubble = new Bubble(loaded.ui)
    this.flags = { ...loaded.tour.flags }
    host.keys.push(this.keys)
    context.shield.seen = (event) => this.seen(event)
  }

  /** From the start, or from where it was left. */
  async begin(at?: Pick<Position, 'step' | 'trail' | 'flags' | 'gone'>): Promise<void> {
    const { tour } = this.loaded
    this.flags = { ...this.flags, ...at?.flags }
    this.trail = at?.trail.filter((id) => stepOf(tour, id)) ?? []
    this.gone = at?.gone
    if (!at) this.count('started')
    await this.show(at && stepOf(tour, at.step) ? at.step : tour.start)
  }

  private facts(): Facts {
    return personFacts(this.context.tag, this.context.cache, this.memory.progress, {
      flags: this.flags,
      has: (name) => !!this.find(name),
    })
  }

  private stage(): Stage {
    return {
      targets: this.loaded.targets,
      versions: () => pageFacts(this.context.tag),
      facts: () => this.facts(),
      opened: this.opened,
      set: (flags) => Object.assign(this.flags, flags),
      mark: (element) => this.mark(element),
      leave: (to) => this.leave(to),
    }
  }

  private async show(wanted: string | null): Promise<void> {
    const { tour } = this.loaded
    const id = shown(tour, wanted, this.facts())
    const step = stepOf(tour, id)
    this.stop.abort()
    this.stop = new AbortController()
    const { signal } = this.stop
    if (id === null || !step) return this.finish()
    this.current = id
    this.keep()
    this.tidy(step)
    this.bubble.release()
    for (const action of step.before ?? []) {
      if (!(await act(this.stage(), action, step.with ?? {}, signal)) && !signal.aborted) {
        if (action.else && (await this.missing(step, action.else))) return
      }
      if (signal.aborted) return
    }
    this.gone = undefined
    if (step.wait && !(await until(() => holds(step.wait, this.facts()), WAIT, signal))) {
      if (signal.aborted || (await this.missing(step))) return
    }
    const name = named(step)
    if (!name) return this.present(step, null, signal)
    const found = await this.look(step, name, signal)
    if (signal.aborted) return
    this.report.missing(name, found?.candidate ?? -1, pageFacts(this.context.tag).apps)
    if (found) return this.present(step, found, signal)
    this.count('missing')
    if (!(await this.missing(step))) this.present(step, null, signal)
  }

  /**
   * A target that takes its time: its words are shown meanwhile where that does no harm, and else a
   * card that says so; never the step before, which is over.
   */
  private async look(step: Step, name: string, signal: AbortSignal): Promise<Found | null> {
    const found = reach(this.stage(), name, step.with ?? {}, signal, step.missing === 'skip' ? DISPENSABLE : TARGET)
    const early = setTimeout(() => {
      if (signal.aborted) return
      if ((step.missing ?? 'center') !== 'center') return this.wait()
      this.present(step, null, signal)
      this.bubble.tell(this.loaded.ui.text('looking'))
    }, PATIENCE * 1000)
    const result = await found
    clearTimeout(early)
    return result
  }

  /** Does what the policy says; false means: show it in the middle. */
  private async missing(step: Step, policy: Missing = step.missing ?? 'center'): Promise<boolean> {
    if (policy === 'center') return false
    if (policy === 'skip') await this.show(this.ahead())
    else if (policy === 'end') this.finish()
    else if (policy === 'ask') this.ask(step)
    else await this.show(policy)
    return true
  }

  private ask(step: Step): void {
    const { ui } = this.loaded
    this.present(step, null, this.stop.signal)
    this.bubble.tell(
      ui.text('missing'),
      { text: ui.text('retry'), act: () => void this.show(this.current) },
      this.skip(),
    )
  }

  private skip(): Button {
    return { text: this.loaded.ui.text('skip'), kind: 'plain', act: () => void this.show(this.ahead()) }
  }

  /** The step behind this one, with the facts of now. */
  private ahead(): string | null {
    return following(this.loaded.tour, this.current, this.facts())
  }

  private position(): { at: number; of: number } {
    return position(this.loaded.tour, this.trail, this.current, this.facts())
  }

  /** "One moment", with a way past it. */
  private wait(): void {
    const { ui } = this.loaded
    const { at, of } = this.position()
    this.bubble.fill({
      title: ui.text('looking'), body: undefined, part: ui.text('part', { n: at, m: of }), done: at / of,
      media: null, choices: [], more: [], buttons: [this.skip()], close: () => this.pause(), root: webRoot(),
    })
    this.appear()
    this.bubble.place(null, [], 'none')
  }

  private appear(): void {
    this.remove ??= this.host.add(this.bubble.spotlight.element, this.bubble.arrow, this.bubble.card)
    this.host.take(this.bubble.heading)
  }

  /** Shows the step, and from now on follows the page until the step ends. */
  private present(step: Step, found: Found | null, signal: AbortSignal): void {
    this.fill(step)
    this.appear()
    const { at, of } = this.position()
    this.host.say(this.loaded.ui.text('step', { n: at, m: of }))
    this.count('shown')
    this.put(step, found)
    this.follow(step, found, signal)
  }

  private put(step: Step, found: Found | null): void {
    const allow = step.allow ?? 'none'
    if (found) {
      rest()
      if (!inside(found.element)) scrollTo(found.element)
    }
    this.bubble.place(found?.element ?? null, step.place ?? [], found || allow === 'page' ? allow : 'none')
  }

  private fill(step: Step): void {
    const { tour, strings, ui } = this.loaded
    const now = this.facts()
    const { at, of } = this.position()
    const next = this.ahead()
    const chapter = chapterOf(tour, this.current)
    const offered = choices(step, now)
    const advance = step.advance ?? ['next']
    const buttons: Button[] = []
    if (this.trail.length) buttons.push({ text: ui.text('back'), kind: 'plain', act: () => this.back() })
    if (advance.includes('next') && !offered.length) {
      buttons.push({ text: ui.text(next === null ? 'done' : 'next'), kind: 'main', act: () => this.next() })
    } else if (!offered.length) {
      buttons.push({ text: ui.text('skipstep'), kind: 'plain', act: () => this.next() })
    }
    const more: Button[] = []
    const tell = deeper(tour, this.current, now)
    if (tell !== undefined) more.push({ text: ui.text('deeper'), act: () => this.go(tell) })
    const out = chapter?.skippable && chapter.steps[0] === this.current ? afterChapter(tour, this.current, now) : null
    if (chapter?.skippable && chapter.steps[0] === this.current && out !== next) {
      more.push({ text: ui.text('skipchapter'), kind: 'text', act: () => this.go(out) })
    }
    this.bubble.fill({
      title: strings.text(`${step.text}.title`),
      body: strings.body(`${step.text}.body`),
      part: [chapter && strings.text(`${chapter.text}.title`), ui.text('part', { n: at, m: of })].filter(Boolean).join(' · '),
      done: at / of,
      media: this.media(step),
      choices: offered.map(({ text, set, to }) => ({
        text: strings.text(`${step.text}.${text}`),
        act: () => {
          Object.assign(this.flags, set)
          this.go(to)
        },
      })),
      more,
      buttons,
      close: () => this.pause(),
      root: webRoot(),
    })
  }

  private media({ media, text }: Step): HTMLElement | null {
    const address = media && this.loaded.entry.media[media.file]
    if (!media || !address) return null
    const alt = this.loaded.strings.text(`${text}.alt`)
    if (media.kind === 'image') return el('img', { src: address, alt })
    const video = el('video', { src: address, controls: true, 'aria-label': alt, playsinline: true, preload: 'metadata' })
    const poster = media.poster && this.loaded.entry.media[media.poster]
    if (poster) video.poster = poster
    for (const [lang, file] of Object.entries(media.captions ?? {})) {
      const src = this.loaded.entry.media[file]
      if (src) video.append(el('track', { kind: 'captions', src, srclang: lang, label: lang, default: lang === this.loaded.strings.lang }))
    }
    if (!reducedMotion() && !alt) video.loop = true
    return video
  }

  /** Rows are reused, menus rebuilt: the target is looked up anew whenever the page changes. */
  private follow(step: Step, first: Found | null, signal: AbortSignal): void {
    let now = first?.element ?? null
    let lost = false
    const name = named(step)
    const waits = (step.advance ?? []).filter((each): each is Exclude<Advance, string> => typeof each === 'object')
    const seenVisible = new Set(waits.flatMap((each) => ('vanish' in each && this.find(each.vanish, step) ? [each.vanish] : [])))
    const unwatch = watch(() => {
      if (signal.aborted) return
      if (!this.host.element.isConnected) document.body.append(this.host.element)
      for (const each of waits) {
        if ('appear' in each && this.find(each.appear, step)) return this.next()
        if ('vanish' in each && this.find(each.vanish, step)) seenVisible.add(each.vanish)
        else if ('vanish' in each && seenVisible.has(each.vanish)) return this.next()
      }
      if (!name) return
      const found = this.find(name, step)
      const element = found?.element ?? null
      if (element === now && (element === null) === lost) return
      if (element) {
        now = element
        lost = false
        this.bubble.tell('')
        this.put(step, found)
      } else if (!lost && now) {
        now = null
        lost = true
        this.lost(step)
      }
    })
    const unroute = onRoute(() => this.routed(step, waits))
    for (const each of waits) {
      if ('event' in each) addEventListener(each.event, () => this.next(), { signal })
    }
    signal.addEventListener('abort', () => {
      unwatch()
      unroute()
    })
  }

  /** A target with the parameters of the step, where it is now. */
  private find(name: string, step?: Step): Found | null {
    return find(this.loaded.targets, name, step?.with ?? {}, pageFacts(this.context.tag))
  }

  /** The target went away under the bubble: say so, and offer to bring it back. */
  private lost(step: Step): void {
    const { ui, targets } = this.loaded
    this.bubble.place(null, [], 'page')
    const needs = step.target ? targets[step.target]?.needs : undefined
    const again = { text: ui.text(needs?.length ? 'reopen' : 'retry'), act: () => void this.show(this.current) }
    this.bubble.tell(ui.text('vanished'), again)
  }

  private routed(step: Step, waits: Exclude<Advance, string>[]): void {
    const here = path()
    this.keep()
    for (const each of waits) if ('route' in each && matches(each.route, here)) return this.next()
    // The page changed under the step: its target is looked for on the new one.
    const name = named(step)
    if (name && !this.find(name, step)) this.bubble.tell(this.loaded.ui.text('looking'))
  }

  /** What the person does on the page itself, not hidden from it. */
  private seen(event: Event): void {
    const step = stepOf(this.loaded.tour, this.current)
    if (event.type === 'keydown' && (event as KeyboardEvent).key === 'F6' && this.remove) {
      event.preventDefault()
      this.host.take(this.bubble.heading)
      return
    }
    if (!step?.target || this.stop.signal.aborted) return
    const advance = step.advance ?? []
    if (event.type === 'click' && advance.includes('click') && this.hits(event, step.target, step)) this.clicked()
    if (event.type === 'change' || event.type === 'input') {
      for (const each of advance) {
        if (typeof each === 'object' && 'value' in each && this.hits(event, each.value, step) && (event.target as HTMLInputElement).value) {
          if (event.type === 'change') this.next()
        }
      }
    }
  }

  private hits(event: Event, name: string, step: Step): boolean {
    const element = this.find(name, step)?.element
    return !!element && event.composedPath().includes(element)
  }

  /** The click may leave the page at once, so the next step is written down first. */
  private clicked(): void {
    const next = this.ahead()
    if (next !== null) this.keep({ step: next, trail: [...this.trail, this.current], until: Date.now() + NAVIGATION })
    const { signal } = this.stop
    setTimeout(() => {
      if (!signal.aborted) this.next()
    })
  }

  private next(): void {
    this.count('next')
    this.go(this.ahead())
  }

  private go(to: string | null): void {
    const from = stepOf(this.loaded.tour, this.current)
    this.trail.push(this.current)
    void this.afterwards(from).then(() => this.show(to))
  }

  private async afterwards(step: Step | undefined): Promise<void> {
    for (const action of step?.after ?? []) await act(this.stage(), action, step?.with ?? {}, this.stop.signal)
  }

  private back(): void {
    this.count('back')
    const to = this.trail.pop()
    if (to !== undefined) void this.show(to)
  }

  /** Escape and the cross: asleep, to be continued from the help. */
  pause(): void {
    this.count('paused')
    this.store('active')
    this.close()
    this.ended('paused')
  }

  private finish(): void {
    this.count('done')
    this.store('done')
    this.close()
    this.ended('done')
  }

  private close(): void {
    this.stop.abort()
    this.bubble.release()
    while (this.opened.length) this.opened.pop()?.undo()
    wake()
    this.context.shield.seen = null
    this.host.keys.splice(this.host.keys.indexOf(this.keys), 1)
    this.host.giveBack(document.getElementById('passeur-help'))
    this.remove?.()
    this.remove = null
    keepPosition(null)
  }

  /** Closes what former steps opened and this one does not need. */
  private tidy(step: Step): void {
    const { targets } = this.loaded
    const wanted = new Set([...needed(targets, step.target), ...(step.before ?? []).flatMap(({ open }) => (open ? [open, ...needed(targets, open)] : []))])
    for (const each of [...this.opened].reverse()) {
      if (wanted.has(each.name)) continue
      each.undo()
      this.opened.splice(this.opened.indexOf(each), 1)
    }
  }

  /** One more ring, for as long as the step lasts. */
  private mark(element: HTMLElement): () => void {
    const ring = el('div', { class: 'ring', 'aria-hidden': 'true' })
    const follow = () => {
      const { left, top, width, height } = element.getBoundingClientRect()
      Object.assign(ring.style, { left: `${left - 4}px`, top: `${top - 4}px`, width: `${width + 8}px`, height: `${height + 8}px` })
      ring.hidden = !visible(element)
    }
    follow()
    const unwatch = watch(follow)
    addEventListener('scroll', follow, true)
    const remove = this.host.add(ring)
    return () => {
      unwatch()
      removeEventListener('scroll', follow, true)
      remove()
    }
  }

  private leave(to: string): boolean {
    if (this.gone === to) return false
    this.keep({ gone: to, until: Date.now() + NAVIGATION })
    this.memory.flush()
    return true
  }

  private keep(more: Partial<Position> = {}): void {
    const { entry } = this.loaded
    if (!more.until) this.store('active')
    keepPosition({
      user: user(),
      tour: entry.id,
      rev: entry.rev,
      step: this.current,
      trail: this.trail,
      flags: this.flags,
      path: path(),
      gone: this.gone,
      ...more,
    })
  }

  private store(status: 'active' | 'done'): void {
    const { entry, tour } = this.loaded
    const ended = status === 'done'
    this.memory.set(entry.id, {
      r: tour.rev,
      s: status,
      t: seconds(),
      ...(ended ? {} : { step: this.current }),
      flags: ended && entry.offer.again === 'major' ? { nc: major() } : this.flags,
    })
  }

  private count(what: What): void {
    this.report.count(this.loaded.entry.id, this.loaded.entry.rev, what, this.current)
  }

  private readonly keys = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') this.pause()
    else if (event.key === 'F6') {
      event.preventDefault()
      this.toPage()
    }
  }

  /** F6 from the bubble: to the target, or what can be focused in it, else to the page's content. */
  private toPage(): void {
    const step = stepOf(this.loaded.tour, this.current)
    const target = step?.target && this.find(step.target, step)?.element
    const focusable = 'a[href], button:not([disabled]), input, select, textarea, [tabindex]'
    const to = target && (target.matches(focusable) ? target : target.querySelector<HTMLElement>(focusable))
    if (to) to.focus()
    else (document.activeElement as HTMLElement | null)?.blur()
  }
}

/** The target of a step that has one. */
const named = ({ target }: Step): string | undefined => (target === 'none' ? undefined : target)

/** Wholly in the window, so that nothing needs to scroll. */
function inside(element: HTMLElement): boolean {
  const { top, bottom, left, right } = element.getBoundingClientRect()
  return element.ownerDocument === document && top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth
}


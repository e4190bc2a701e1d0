// A tour while it is written: the files of config/tours as objects, changed in place, so that what the
// editor does not know stays as it was. The order of steps is that of the file; a step that leads to
// the one below it keeps doing so when steps move.

import type { Block, Step, Strings, Target, Tour } from '../format.ts'

export type Files = Record<string, string>

interface Pack {
  $v: 1
  area: string
  targets: Record<string, Target>
}

type Offered = Tour & { $v: 1; offer?: { auto?: boolean } & Record<string, unknown>; when?: Record<string, unknown> }

/** Leads to the step below, whichever that is. */
export const BELOW = '\u2193'
/** Ends the tour. */
export const END = ''
/** By conditions, which are written in the file. */
export const CONDITIONS = '?'

const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

export class Draft {
  readonly tour: Offered
  readonly locales: Record<string, Strings> = {}
  readonly pack: Pack

  constructor(
    readonly id: string,
    files: Files,
    lang: string,
  ) {
    const own = files[`${id}/tour.json`]
    this.tour = own ? (JSON.parse(own) as Offered) : { $v: 1, id, rev: 1, kind: 'tour', offer: { auto: false }, start: 'step-1', steps: { 'step-1': { target: 'none', text: 'step-1' } } }
    const pack = files[this.packFile]
    this.pack = pack ? (JSON.parse(pack) as Pack) : { $v: 1, area: `own-${id}`, targets: {} }
    for (const [path, json] of Object.entries(files)) {
      const name = /\/locales\/(.+)\.json$/.exec(path)?.[1]
      if (name) this.locales[name] = JSON.parse(json) as Strings
    }
    // English has to be there; and the page's language is the one that is written in.
    for (const wanted of ['en', lang]) this.locales[wanted] ??= {}
  }

  private get packFile(): string {
    return `targets/own-${this.id}.json`
  }

  /** As the host takes them over; languages without a word are left out. */
  files(): Files {
    const files: Files = { [`${this.id}/tour.json`]: text(this.tour) }
    for (const [lang, words] of Object.entries(this.locales)) {
      const written = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== '' && value.length))
      if (lang === 'en' || Object.keys(written).length) files[`${this.id}/locales/${lang}.json`] = text(written)
    }
    if (Object.keys(this.pack.targets).length) files[this.packFile] = text(this.pack)
    return files
  }

  get order(): string[] {
    return Object.keys(this.tour.steps)
  }

  step(id: string): Step {
    return this.tour.steps[id] as Step
  }

  /** Where a step leads: another step's id, [`BELOW`], [`END`] or [`CONDITIONS`]. */
  next(id: string): string {
    const { next } = this.step(id)
    const below = this.order[this.order.indexOf(id) + 1]
    if (Array.isArray(next)) return CONDITIONS
    return below !== undefined && next === below ? BELOW : (next ?? END)
  }

  setNext(id: string, to: string): void {
    const step = this.step(id)
    if (to === CONDITIONS) return
    const below = this.order[this.order.indexOf(id) + 1]
    const wanted = to === BELOW ? below : to
    if (wanted) step.next = wanted
    else delete step.next
  }

  /** Another order, with what led below still leading below. */
  private reorder(order: string[], added?: string): void {
    const before = new Map(this.order.map((id) => [id, this.next(id)]))
    const begins = this.tour.start === this.order[0]
    this.tour.steps = Object.fromEntries(order.map((id) => [id, this.tour.steps[id] as Step]))
    for (const id of order) if (id === added || before.get(id) === BELOW) this.setNext(id, BELOW)
    if (begins && order[0]) this.tour.start = order[0]
  }

  move(id: string, by: -1 | 1): void {
    const order = this.order
    const at = order.indexOf(id)
    const to = at + by
    if (to < 0 || to >= order.length) return
    // The last one ended; moved up it leads on, and what is last now ends.
    const last = order.at(-1) as string
    const ended = this.next(last) === END
    order.splice(to, 0, ...order.splice(at, 1))
    this.reorder(order, ended ? last : undefined)
  }

  /** A step after another; whatever led on from there goes through it. */
  add(after: string): string {
    let n = this.order.length + 1
    while (this.tour.steps[`step-${n}`]) n++
    const id = `step-${n}`
    const went = this.next(after)
    const order = this.order
    order.splice(order.indexOf(after) + 1, 0, id)
    this.tour.steps[id] = { target: 'none', text: id }
    this.reorder(order, went === BELOW ? id : undefined)
    if (went === CONDITIONS) return id
    if (went !== BELOW) this.setNext(id, went)
    this.setNext(after, BELOW)
    return id
  }

  /** Without a step; what led to it leads to where it led. The last one stays. */
  remove(id: string): boolean {
    if (this.order.length < 2) return false
    const to = this.next(id)
    const below = this.order[this.order.indexOf(id) + 1]
    const behind = to === BELOW ? below : to === CONDITIONS ? undefined : to || undefined
    const { text: key } = this.step(id)
    const ends = (next: string | undefined) => (next === id ? behind : next)
    for (const step of Object.values(this.tour.steps)) {
      if (typeof step.next === 'string') {
        step.next = ends(step.next)
        if (!step.next) delete step.next
      } else if (step.next) step.next = step.next.filter((edge) => edge.to !== id || behind).map((edge) => ({ ...edge, to: ends(edge.to) as string }))
      if (step.choices) step.choices = step.choices.filter((choice) => choice.to !== id || behind).map((choice) => ({ ...choice, to: ends(choice.to) as string }))
      if (step.missing === id) delete step.missing
    }
    for (const chapter of this.tour.chapters ?? []) chapter.steps = chapter.steps.filter((each) => each !== id)
    delete this.tour.steps[id]
    if (this.tour.start === id) this.tour.start = behind ?? (this.order[0] as string)
    if (!Object.values(this.tour.steps).some((step) => step.text === key)) {
      for (const words of Object.values(this.locales)) for (const name of Object.keys(words)) if (name.startsWith(`${key}.`)) delete words[name]
    }
    for (const name of Object.keys(this.pack.targets)) if (name === id || name.startsWith(`${id}-`)) delete this.pack.targets[name]
    return true
  }

  /** A button that leads somewhere; its key is new. */
  addChoice(id: string): void {
    const step = this.step(id)
    const keys = new Set(step.choices?.map(({ text }) => text))
    let n = 1
    while (keys.has(`choice-${n}`)) n++
    step.choices = [...(step.choices ?? []), { text: `choice-${n}`, to: this.order.find((each) => each !== id) ?? id }]
  }

  removeChoice(id: string, key: string): void {
    const step = this.step(id)
    step.choices = step.choices?.filter(({ text }) => text !== key)
    if (!step.choices?.length) delete step.choices
    for (const words of Object.values(this.locales)) delete words[`${step.text}.${key}`]
  }

  words(lang: string, key: string): string {
    return plain(this.locales[lang]?.[key])
  }

  setWords(lang: string, key: string, value: string, isBody = false): void {
    const words = (this.locales[lang] ??= {})
    if (value.trim()) words[key] = isBody ? blocks(value) : value.trim()
    else delete words[key]
  }

  /** Points a step at a selector of its own, with the menu that has to be open before. */
  point(id: string, css: string, opens?: { name?: string; css?: string }): void {
    const target: Target = { any: [{ css }] }
    if (opens?.css) {
      this.pack.targets[`${id}-opens`] = { any: [{ css: opens.css }] }
      target.needs = [{ open: `${this.pack.area}.${id}-opens` }]
    } else if (opens?.name) target.needs = [{ open: opens.name }]
    this.pack.targets[id] = target
    this.step(id).target = `${this.pack.area}.${id}`
  }

  /** Points it at a target that has a name, or at nothing. */
  name(id: string, name: string): void {
    this.step(id).target = name
    delete this.pack.targets[id]
    delete this.pack.targets[`${id}-opens`]
  }
}

/** Paragraphs with a blank line between, lists with a dash before each line. */
export function blocks(value: string): string | Block[] {
  const parts = value
    .split(/\n\s*\n/)
    .map((part) => part.split('\n').map((line) => line.trim()).filter(Boolean))
    .filter((lines) => lines.length)
    .flatMap((lines): Block[] => {
      const first = lines.findIndex((line) => line.startsWith('- '))
      if (first < 0 || !lines.slice(first).every((line) => line.startsWith('- '))) return [lines.join(' ')]
      const list = { list: lines.slice(first).map((line) => line.slice(2).trim()) }
      return first ? [lines.slice(0, first).join(' '), list] : [list]
    })
  return parts.length === 1 && typeof parts[0] === 'string' ? parts[0] : parts
}

export function plain(value: string | Block[] | undefined): string {
  if (value === undefined || typeof value === 'string') return value ?? ''
  return value.map((block) => (typeof block === 'string' ? block : block.list.map((item) => `- ${item}`).join('\n'))).join('\n\n')
}

// What the editor shows: the tour, its steps in their order, and one step with its words, its target
// and its ways on. Made anew whenever the tour changes its shape; while somebody writes, it stays.

import type { Advance, Step } from '../format.ts'
import { el } from '../page/dom.ts'
import { BELOW, CONDITIONS, END, type Draft } from './draft.ts'
import { ringElement, type Picker } from './pick.ts'
import { judge, opener, propose, type Proposal } from './propose.ts'
import { area, button, check, input, radio, select, type Surface } from './surface.ts'
import { say, type Key } from './words.ts'
import { zip } from './zip.ts'

export interface Problem {
  file: string
  line: number
  message: string
  error: boolean
}

export interface Acts {
  changed(): void
  /** The name under which a target pack knows an element. */
  known(element: Element): string | null
  preview(from?: string): void
  finish(): void
  apps: string[]
  /** All names of targets. */
  labels(): string[]
}

export class Panel {
  private current: string
  private readonly state = el('div', { class: 'state', role: 'status', 'aria-live': 'polite' })
  private readonly body = el('div', { class: 'scroll' })
  private readonly foot = el('div', { class: 'foot' })
  private readonly toggle = button(say('hide'), () => this.small(!this.panel.classList.contains('small')), { class: 'plain' })
  /** What one wants to point at may be under it. */
  private readonly side = button(say('side'), () => this.panel.classList.toggle('start'), { class: 'plain' })
  private readonly panel = el(
    'section',
    { class: 'panel', role: 'region', 'aria-label': say('title') },
    el('header', {}, el('h1', {}, say('title')), this.side, this.toggle),
    this.body,
    this.foot,
  )

  constructor(
    private readonly surface: Surface,
    private readonly draft: Draft,
    private lang: string,
    private readonly picking: Picker,
    private readonly acts: Acts,
  ) {
    this.current = draft.tour.start
    this.panel.dir = document.body.dir || 'ltr'
  }

  show(): void {
    this.draw()
    this.surface.open(this.panel)
  }

  small(small: boolean): void {
    this.panel.classList.toggle('small', small)
    this.toggle.textContent = say(small ? 'show' : 'hide')
  }

  say(text: string): void {
    this.state.replaceChildren(text)
  }

  tell(problems: Problem[]): void {
    if (!problems.length) return this.say(say('saved'))
    const line = ({ file, line, message, error }: Problem) =>
      el('li', {}, `${file.replace(`${this.draft.id}/`, '')}${line ? `, ${say('line', { n: line })}` : ''}: ${message}${error ? '' : ` (${say('warning')})`}`)
    this.state.replaceChildren(say('wrong'), el('ul', {}, ...problems.map(line)))
  }

  /** Draws anew; `focus` is the key of the control that has the focus then. */
  private draw(focus?: string): void {
    const top = this.body.scrollTop
    this.body.replaceChildren(this.languages(), this.settings(), this.list(), ...this.step(this.current))
    this.foot.replaceChildren(
      this.state,
      button(say('preview'), () => this.acts.preview(), { class: 'main' }),
      button(say('export'), () => this.save()),
      button(say('finish'), () => this.ask(), { class: 'plain' }),
    )
    this.body.scrollTop = top
    if (focus) this.panel.querySelector<HTMLElement>(`[key="${CSS.escape(focus)}"]`)?.focus()
  }

  private altered(focus?: string): void {
    this.acts.changed()
    this.draw(focus)
  }

  private languages(): HTMLElement {
    const all = Object.keys(this.draft.locales).sort()
    const name = (code: string) => new Intl.DisplayNames([document.documentElement.lang || 'en'], { type: 'language', fallback: 'code' }).of(code) ?? code
    let wanted = ''
    const add = () => {
      if (!/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(wanted)) return
      this.draft.locales[wanted] ??= {}
      this.lang = wanted
      this.altered('lang')
    }
    return el(
      'div',
      { class: 'row' },
      select(say('lang'), all.map((code) => [code, `${name(code)} (${code})`]), this.lang, (value) => {
        this.lang = value
        this.draw('lang')
      }, { key: 'lang' }),
      input(say('addlang'), '', (value) => (wanted = value.trim()), { key: 'addlang', maxlength: '20' }),
      button(say('add'), add, { class: 'plain' }),
    )
  }

  private words(label: Key, key: string): HTMLElement {
    return input(say(label), this.draft.words(this.lang, key), (value) => {
      this.draft.setWords(this.lang, key, value)
      this.acts.changed()
    }, { key, lang: this.lang })
  }

  private settings(): HTMLElement {
    const { tour } = this.draft
    const apps: [string, string][] = [['', say('anywhere')], ...this.acts.apps.map((id): [string, string] => [id, id])]
    const route = typeof tour.when?.route === 'string' ? (/^\/apps\/([^/]+)\/\*\*$/.exec(tour.when.route)?.[1] ?? '') : ''
    if (route && !this.acts.apps.includes(route)) apps.push([route, route])
    return el(
      'details',
      { open: !this.draft.words(this.lang, 'tour.title') },
      el('summary', {}, el('strong', {}, `${say('settings')}: ${this.draft.id}`)),
      this.words('tour.title', 'tour.title'),
      this.words('tour.summary', 'tour.summary'),
      check(say('auto'), tour.offer?.auto === true, (auto) => {
        tour.offer = { ...tour.offer, auto }
        this.acts.changed()
      }),
      select(say('app'), apps, route, (app) => {
        // Other conditions of the file stay.
        const { route: _, ...rest } = tour.when ?? {}
        tour.when = app ? { ...rest, route: `/apps/${app}/**` } : rest
        if (!Object.keys(tour.when).length) delete tour.when
        this.acts.changed()
      }),
      input(say('rev'), String(tour.rev), (value) => {
        if (Number(value) >= 1) tour.rev = Math.floor(Number(value))
        this.acts.changed()
      }, { type: 'number', min: '1' }),
    )
  }

  private title(id: string): string {
    const key = `${this.draft.step(id).text}.title`
    return this.draft.words(this.lang, key) || this.draft.words('en', key) || `${id} (${say('untitled')})`
  }

  private list(): HTMLElement {
    const order = this.draft.order
    const row = (id: string, at: number) => {
      const name = this.title(id)
      const move = (by: -1 | 1) => () => {
        this.draft.move(id, by)
        this.altered(`${by < 0 ? 'up' : 'down'} ${id}`)
      }
      return el(
        'li',
        {},
        button(`${at + 1}. ${name}${this.draft.tour.start === id ? ` (${say('first')})` : ''}`, () => ((this.current = id), this.draw(id)), { class: 'name', key: id, 'aria-current': id === this.current ? 'step' : null }),
        button('↑', move(-1), { class: 'plain', 'aria-label': say('up', { name }), disabled: at === 0, key: `up ${id}` }),
        button('↓', move(1), { class: 'plain', 'aria-label': say('down', { name }), disabled: at === order.length - 1, key: `down ${id}` }),
      )
    }
    const add = () => {
      this.current = this.draft.add(this.current)
      this.altered(`${this.draft.step(this.current).text}.title`)
    }
    return el('section', {}, el('h2', {}, say('steps')), el('ol', { class: 'steps' }, ...order.map(row)), el('div', { class: 'row' }, button(say('addstep'), add, { key: 'add' })))
  }

  private step(id: string): HTMLElement[] {
    const step = this.draft.step(id)
    const n = this.draft.order.indexOf(id) + 1
    const body = `${step.text}.body`
    const remove = () => {
      const at = this.draft.order.indexOf(id)
      if (!this.draft.remove(id)) return
      this.current = this.draft.order[Math.max(0, at - 1)] as string
      this.altered(this.current)
    }
    const policies = (['center', 'skip', 'ask', 'end'] as const).map((each): [string, string] => [each, say(`missing.${each}`)])
    const other = step.missing && !policies.some(([value]) => value === step.missing) ? this.ways(id).filter(([value]) => value === step.missing) : []
    return [
      el('h2', {}, say('step', { n })),
      this.words('step.title', `${step.text}.title`),
      area(say('step.body'), this.draft.words(this.lang, body), (value) => {
        this.draft.setWords(this.lang, body, value, true)
        this.acts.changed()
      }, say('bodyhint')),
      this.target(id, step),
      select(say('missing'), [...policies, ...other], step.missing ?? 'center', (value) => {
        step.missing = value
        this.acts.changed()
      }),
      this.advance(step),
      select(say('next'), this.ways(id, true), this.draft.next(id), (value) => {
        this.draft.setNext(id, value)
        this.acts.changed()
      }, { key: 'next' }),
      this.choices(id, step),
      el('div', { class: 'row' }, button(say('previewhere'), () => this.acts.preview(id)), button(say('remove'), remove, { class: 'plain', disabled: this.draft.order.length < 2 })),
    ]
  }

  /** Where one can go from a step. */
  private ways(id: string, isNext = false): [string, string][] {
    const order = this.draft.order
    const steps = order.filter((each) => each !== id).map((each): [string, string] => [each, `${order.indexOf(each) + 1}. ${this.title(each)}`])
    if (!isNext) return steps
    const below = order[order.indexOf(id) + 1]
    const ways: [string, string][] = below ? [[BELOW, say('below')]] : []
    if (this.draft.next(id) === CONDITIONS) ways.push([CONDITIONS, say('conditions')])
    return [...ways, [END, say('end')], ...steps.filter(([each]) => each !== below)]
  }

  private advance(step: Step): HTMLElement {
    const now = step.advance ?? ['next']
    const has = (way: string) => now.includes(way as Advance)
    const value = has('click') ? (has('next') ? 'both' : 'click') : 'next'
    const options = (['next', 'click', 'both'] as const).map((each): [string, string] => [each, say(`advance.${each}`)])
    return select(say('advance'), options, value, (value) => {
      // What else the file says, as a change of page, stays.
      const rest = now.filter((each) => typeof each === 'object')
      const ways: Advance[] = value === 'both' ? ['next', 'click'] : [value as Advance]
      step.advance = [...ways, ...rest]
      if (value !== 'next') step.allow = 'target'
      else if (step.allow === 'target') delete step.allow
      if (step.advance.length === 1 && step.advance[0] === 'next') delete step.advance
      this.acts.changed()
    })
  }

  private choices(id: string, step: Step): HTMLElement {
    const one = ({ text, to }: { text: string; to: string }, at: number) =>
      el(
        'div',
        { class: 'row' },
        this.words('label', `${step.text}.${text}`),
        select(say('to'), [...this.ways(id), [END, say('end')]], to === 'end' ? END : to, (value) => {
          const choice = step.choices?.[at]
          if (choice) choice.to = value || 'end'
          this.acts.changed()
        }),
        button('×', () => (this.draft.removeChoice(id, text), this.altered('addchoice')), { class: 'plain', 'aria-label': say('removechoice') }),
      )
    const add = () => {
      this.draft.addChoice(id)
      this.altered(`${step.text}.${step.choices?.at(-1)?.text}`)
    }
    return el('section', {}, el('h3', {}, say('choices')), ...(step.choices ?? []).map(one), el('div', { class: 'row' }, button(say('addchoice'), add, { class: 'plain', key: 'addchoice' })))
  }

  private target(id: string, step: Step): HTMLElement {
    const name = step.target && step.target !== 'none' ? step.target : ''
    const own = this.draft.pack.targets[id]
    const isOwn = name === `${this.draft.pack.area}.${id}`
    const shown = isOwn ? (own?.any.map(({ css }) => css).join(', ') ?? name) : name
    const proposal = isOwn && own?.any[0] ? judge(own.any[0].css) : null
    let css = ''
    return el(
      'section',
      { class: 'box' },
      el('strong', {}, `${say('target')}: `),
      name ? el('code', {}, shown) : say('nothing'),
      // What is in a closed menu is found once that is open.
      ...doubts(proposal && { ...proposal, doubts: proposal.doubts.filter((doubt) => doubt !== 'nothing') }),
      el('div', { class: 'row' }, button(say('pick'), () => void this.pick(id), { key: 'pick' }), name ? button(say('unpick'), () => (this.draft.name(id, 'none'), this.altered('pick')), { class: 'plain' }) : null),
      el(
        'div',
        { class: 'row' },
        input(say('own'), '', (value) => (css = value.trim()), { key: 'css', spellcheck: 'false' }),
        button(say('use'), () => {
          if (!css || judge(css).doubts.includes('invalid')) return this.say(say('doubt.invalid'))
          this.draft.point(id, css)
          this.altered('pick')
        }, { class: 'plain' }),
      ),
    )
  }

  private async pick(id: string): Promise<void> {
    const ring = ringElement()
    const seen = el('div', {}, '')
    const hint = el('div', { class: 'hint', role: 'status' }, say('picking'), seen)
    this.surface.root.append(ring, hint)
    this.small(true)
    const element = await this.picking.pick(ring, (element) => (seen.textContent = this.acts.known(element) ?? propose(element)[0]?.css ?? '—'))
    hint.remove()
    this.small(false)
    if (!element) return this.draw('pick')
    this.propose(id, element)
  }

  /** Ways to find it again, of which one is chosen. */
  private propose(id: string, element: Element): void {
    let name = this.acts.known(element)
    let found = propose(element)
    // Where nothing marks it, what is around it is often marked, and says as much.
    let around = false
    for (let at = element.parentElement; !name && !found.length && at && at !== document.body; at = at.parentElement) {
      around = true
      name = this.acts.known(at)
      found = propose(at)
    }
    const menu = opener(element)
    const opens = menu && { name: this.acts.known(menu) ?? undefined, css: propose(menu).find(({ doubts }) => !doubts.includes('several'))?.css }
    let withMenu = !!opens
    let chosen = name ? '' : (found[0]?.css ?? null)
    const use = () => {
      if (chosen === null) return
      if (name && chosen === '') this.draft.name(id, name)
      else this.draft.point(id, chosen, withMenu && opens ? (opens.name ? { name: opens.name } : { css: opens.css }) : undefined)
      this.altered('pick')
    }
    const box = el(
      'section',
      { class: 'box', role: 'group', 'aria-label': say('choose') },
      el('strong', {}, say(found.length || name ? (around ? 'around' : 'choose') : 'none')),
      name ? radio('way', [el('code', {}, name), el('span', { class: 'fine' }, say('known'))], true, () => (chosen = '')) : null,
      ...found.map((each, at) => radio('way', [el('code', {}, each.css), ...doubts(each)], !name && at === 0, () => (chosen = each.css))),
      opens && (opens.name || opens.css) ? check(say('opens'), true, (on) => (withMenu = on)) : null,
      el('div', { class: 'row' }, chosen === null ? null : button(say('use'), use, { class: 'main', key: 'use' }), button(say('pick'), () => void this.pick(id), { class: 'plain', key: 'use' })),
    )
    this.draw()
    this.body.querySelector('.box')?.replaceWith(box)
    box.scrollIntoView({ block: 'nearest' })
    box.querySelector<HTMLElement>('[key=use]')?.focus()
  }

  private save(): void {
    const link = el('a', { href: URL.createObjectURL(zip(this.draft.files())), download: `${this.draft.id}.zip` })
    this.surface.root.append(link)
    link.click()
    link.remove()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  }

  private ask(): void {
    this.foot.replaceChildren(
      el('div', { class: 'state', role: 'alert' }, say('sure')),
      button(say('yes'), () => this.acts.finish(), { class: 'main' }),
      button(say('no'), () => this.draw(), { key: 'no' }),
    )
    this.foot.querySelector<HTMLElement>('[key=no]')?.focus()
  }
}

function doubts(proposal: Proposal | null): HTMLElement[] {
  if (!proposal) return []
  if (!proposal.doubts.length) return [el('span', { class: 'fine' }, say('good'))]
  return proposal.doubts.map((doubt) => el('span', { class: 'doubt' }, say(`doubt.${doubt}`)))
}

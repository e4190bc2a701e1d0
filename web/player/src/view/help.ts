// The list of tours: which are seen, start, continue, again; and "everything afresh".

import { el, focused } from '../page/dom.ts'
import type { Words } from '../words.ts'
import { button } from './bubble.ts'
import type { Host } from './host.ts'
import { circle, cross, tick } from './icons.ts'

export interface Item {
  id: string
  title: string
  summary: string
  status: 'new' | 'active' | 'done' | 'dismissed'
}

export interface Acts {
  start: (id: string) => void
  /** Lets it be offered again. */
  again: (id: string) => void
  reset: () => void
}

export function help(host: Host, words: Words, items: Item[], { source, version }: { source: string; version: string }, acts: Acts, opener?: HTMLElement): () => void {
  const heading = el('h2', { id: 'help-title', tabindex: '-1' }, words.text('help.title'))
  const panel = el('section', { class: 'card help', role: 'dialog', 'aria-labelledby': 'help-title' })
  const list = (all: Item[]) =>
    el('ul', { class: 'tours', 'aria-labelledby': 'help-title' }, ...all.map((item) => row(words, item, (id) => (close(), acts.start(id)), (id) => (acts.again(id), shown(id)))))
  const shown = (id: string) => {
    items = items.map((item) => (item.id === id ? { ...item, status: 'new' } : item))
    draw()
    host.say(words.text('help.shown'))
    heading.focus()
  }
  const draw = () => {
    panel.replaceChildren(
      el('div', { class: 'head' }, el('span', { class: 'part' }, words.text('help.part')), el('button', { type: 'button', class: 'plain icon', 'aria-label': words.text('close'), title: words.text('close'), click: close }, cross())),
      heading,
      el('div', { class: 'body' }, el('p', {}, words.text(items.length ? 'help.text' : 'help.none')), list(items)),
      el(
        'div',
        { class: 'end' },
        button({ text: words.text('help.reset'), kind: 'text', act: () => (acts.reset(), (items = items.map((item) => ({ ...item, status: 'new' }))), draw(), host.say(words.text('help.resetdone')), heading.focus()) }),
        // Who runs a changed Passeur says where its source is (AGPL, 13); without that there is nowhere to lead.
        source
          ? el('a', { href: source, target: '_blank', rel: 'noopener noreferrer' }, words.text('help.source'))
          : el('span', {}, `Passeur ${version} · AGPL-3.0-or-later`),
      ),
    )
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Escape') close()
    else if (event.key === 'Tab') around(panel, event)
  }
  const close = () => {
    if (!panel.isConnected) return
    host.keys.splice(host.keys.indexOf(keys), 1)
    host.giveBack(opener)
    remove()
  }
  draw()
  host.keys.push(keys)
  const remove = host.add(panel)
  host.take(heading)
  return close
}

function row(words: Words, { id, title, summary, status }: Item, start: (id: string) => void, again: (id: string) => void): HTMLElement {
  const seen = status === 'done' || status === 'dismissed'
  const act = button({ text: words.text(status === 'active' ? 'continue' : status === 'done' ? 'restart' : 'start'), kind: 'plain', act: () => start(id) })
  act.setAttribute('aria-label', `${act.textContent}: ${title}`)
  act.classList.remove('plain')
  const more = seen && button({ text: words.text('help.again'), kind: 'text', act: () => again(id) })
  if (more) more.setAttribute('aria-label', `${more.textContent}: ${title}`)
  return el(
    'li',
    { class: 'tour', 'data-tour': id },
    el('span', { class: status === 'done' ? 'tick' : 'tick todo' }, status === 'done' ? tick() : circle(), el('span', { class: 'sr' }, words.text(`status.${status}`))),
    el('h3', {}, title),
    act,
    el('p', {}, summary),
    more,
  )
}

/** The panel covers the end of the page: Tab goes around in it, Escape leaves it. */
function around(panel: HTMLElement, event: KeyboardEvent): void {
  const all = [...panel.querySelectorAll<HTMLElement>('button, a[href]')]
  const [first, last] = [all[0], all.at(-1)]
  const now = focused()
  if (event.shiftKey && (now === first || now?.localName === 'h2')) move(event, last)
  else if (!event.shiftKey && now === last) move(event, first)
}

function move(event: KeyboardEvent, to: HTMLElement | undefined): void {
  event.preventDefault()
  to?.focus()
}

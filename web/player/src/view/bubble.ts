// The card that says what a step says: beside its target, in the middle, or as a sheet on phones.
// It is a dialog that does not block: the focus comes to its heading, and F6 goes between the two.

import type { Placement } from '@floating-ui/core'
import type { Block } from '../format.ts'
import { el, rect, visible } from '../page/dom.ts'
import { phone } from '../page/person.ts'
import { blocks, inline } from '../text.ts'
import type { Words } from '../words.ts'
import { cross } from './icons.ts'
import { beside, track } from './place.ts'
import { put, Spotlight, type Allow } from './spotlight.ts'

export interface Button {
  text: string
  act: () => void
  kind?: 'main' | 'plain' | 'text'
}

export interface Content {
  title: string
  body: string | Block[] | undefined
  part: string
  /** 0 to 1. */
  done: number
  media: HTMLElement | null
  choices: Button[]
  more: Button[]
  buttons: Button[]
  close: () => void
  /** Where an address below the web root begins. */
  root: string
}

const PLACES: Record<string, Placement> = { top: 'top', bottom: 'bottom', start: 'left', end: 'right' }

export const button = ({ text, act, kind }: Button): HTMLButtonElement => el('button', { type: 'button', class: kind ?? null, click: act }, text)

export class Bubble {
  readonly spotlight = new Spotlight()
  readonly card = el('div', { class: 'card bubble', role: 'dialog', 'aria-labelledby': 'title', 'aria-describedby': 'body', tabindex: '-1' })
  readonly arrow = el('div', { class: 'arrow', 'aria-hidden': 'true' })
  heading: HTMLElement = el('h2')
  private readonly note = el('div', { class: 'note', role: 'note', hidden: true })
  private stop: (() => void) | null = null

  constructor(private readonly words: Words) {}

  fill(content: Content): void {
    this.heading = el('h2', { id: 'title', tabindex: '-1' }, ...inline(content.title, content.root))
    const progress = el('i')
    progress.style.inlineSize = `${Math.round(content.done * 100)}%`
    this.note.hidden = true
    this.card.replaceChildren(
      el(
        'div',
        { class: 'head' },
        el('span', { class: 'part' }, content.part),
        el('button', { type: 'button', class: 'plain icon', 'aria-label': this.words.text('pause'), title: this.words.text('pause'), click: content.close }, cross()),
      ),
      this.heading,
      el('div', { class: 'body', id: 'body' }, content.media ?? false, ...blocks(content.body, content.root)),
      this.note,
      content.choices.length ? el('div', { class: 'choices' }, ...content.choices.map(button)) : '',
      content.more.length ? el('div', { class: 'foot' }, ...content.more.map(button)) : '',
      el('div', { class: 'bar', 'aria-hidden': 'true' }, progress),
      el('div', { class: 'foot' }, ...spaced(content.buttons.map(button))),
    )
    this.card.scrollTop = 0
  }

  /** A line below the text: the target is gone, or being looked for. */
  tell(text: string, ...actions: Button[]): void {
    this.note.replaceChildren(text, ...actions.map(button))
    this.note.hidden = !text
  }

  /** Puts the card beside the target, in the middle without one, and keeps it there. */
  place(target: HTMLElement | null, places: string[], allow: Allow): void {
    this.release()
    this.spotlight.allow(allow)
    const sheet = phone() || places[0] === 'sheet'
    const center = !target || places[0] === 'center'
    this.card.classList.toggle('sheet', sheet)
    this.card.classList.toggle('center', center && !sheet)
    this.arrow.hidden = sheet || center
    this.card.style.cssText = ''
    // Relation from our side only: the target's own attributes are the page's.
    if ('ariaDetailsElements' in this.card) this.card.ariaDetailsElements = target ? [target] : null
    if (!target) {
      this.card.classList.remove('up')
      this.spotlight.place(null)
      this.stop = onResize(() => this.spotlight.place(null))
      return
    }
    const box = () => (visible(target) ? rect(target) : new DOMRect())
    const size = new ResizeObserver(() => void this.beside(box(), places))
    if (!sheet && !center) size.observe(this.card)
    const untrack = track(box, () => {
      const now = box()
      this.spotlight.place(now.width ? now : null)
      this.spotlight.allow(allow)
      if (!now.width) return
      if (sheet) this.card.classList.toggle('up', covered(now, this.card.offsetHeight))
      else if (!center) void this.beside(now, places)
    })
    this.stop = () => {
      untrack()
      size.disconnect()
    }
  }

  private async beside(box: DOMRect, places: string[]): Promise<void> {
    const rtl = getComputedStyle(this.card).direction === 'rtl'
    const sides = [...places, 'bottom', 'top', 'end', 'start']
      .map((place) => PLACES[place])
      .filter((place): place is Placement => !!place)
      .map((place) => (rtl ? mirrored(place) : place))
    const placed = await beside(box, this.card, this.arrow, [...new Set(sides)])
    const { offsetWidth: width, offsetHeight: height } = this.card
    this.arrow.hidden = !placed.fits
    const [left, top] = placed.fits ? [placed.x, placed.y] : this.squeezed(box, rtl, width)
    this.card.style.left = `${left}px`
    this.card.style.top = `${top}px`
    this.arrow.dataset.side = placed.side
    const [x, y] = {
      top: [left + placed.arrow, top + height - 7],
      bottom: [left + placed.arrow, top - 6],
      left: [left + width - 7, top + placed.arrow],
      right: [left - 6, top + placed.arrow],
    }[placed.side] as [number, number]
    put(this.arrow, x, y, x + 12, y + 12)
  }

  /**
   * No side has room for the card as it is: above or below, cut to what is free and scrolling inside;
   * or, if the target fills the window, in the corner that covers least.
   */
  private squeezed(box: DOMRect, rtl: boolean, width: number): [number, number] {
    const [above, below] = [box.top - 22, innerHeight - box.bottom - 22]
    const room = Math.max(above, below)
    const fits = room >= 130
    if (fits) this.card.style.maxBlockSize = `${room}px`
    const { offsetHeight: height } = this.card
    const left = rtl ? 16 : innerWidth - width - 16
    if (!fits) return [left, innerHeight - height - 16]
    return [Math.min(Math.max(8, box.left), innerWidth - width - 8), below >= above ? box.bottom + 14 : box.top - 14 - height]
  }

  release(): void {
    this.stop?.()
    this.stop = null
  }
}

/** The way back stands at the start, what goes on at the end. */
function spaced(buttons: HTMLElement[]): HTMLElement[] {
  const main = buttons.findIndex((each) => each.classList.contains('main'))
  return main > 0 ? [...buttons.slice(0, main), el('span', { class: 'space' }), ...buttons.slice(main)] : [el('span', { class: 'space' }), ...buttons]
}

const mirrored = (place: Placement): Placement => (place === 'left' ? 'right' : place === 'right' ? 'left' : place)

/** Whether a sheet at the bottom would lie on the target, and one at the top less so. */
function covered(box: DOMRect, height: number): boolean {
  const below = box.bottom > innerHeight - height
  return below && box.top + box.height / 2 > innerHeight / 2
}

function onResize(act: () => void): () => void {
  addEventListener('resize', act)
  return () => removeEventListener('resize', act)
}

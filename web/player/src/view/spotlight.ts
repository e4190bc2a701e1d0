// What is around the target: four panels that keep clicks from the page, a fifth over the target if
// it must not be clicked either, and a ring. The target itself is never touched.

import { el } from '../page/dom.ts'

export type Allow = 'none' | 'target' | 'page'

const MARGIN = 4

const panel = () => el('div', { class: 'panel' })

export class Spotlight {
  readonly element = el('div', { 'aria-hidden': 'true' })
  private readonly panels = [panel(), panel(), panel(), panel()] as const
  private readonly over = el('div', { class: 'panel over' })
  private readonly ring = el('div', { class: 'ring' })

  constructor() {
    this.element.append(...this.panels, this.over, this.ring)
  }

  allow(allow: Allow): void {
    this.element.classList.toggle('open', allow === 'page')
    this.over.hidden = allow !== 'none'
  }

  /** null: no target, the page is covered as a whole. */
  place(box: DOMRect | null): void {
    const { innerWidth: width, innerHeight: height } = window
    const hole = box
      ? { top: box.top - MARGIN, left: box.left - MARGIN, right: box.right + MARGIN, bottom: box.bottom + MARGIN }
      : { top: height, left: 0, right: width, bottom: height }
    const [top, bottom, left, right] = this.panels
    put(top, 0, 0, width, hole.top)
    put(bottom, 0, hole.bottom, width, height)
    put(left, 0, hole.top, hole.left, hole.bottom)
    put(right, hole.right, hole.top, width, hole.bottom)
    for (const part of [this.over, this.ring]) put(part, hole.left, hole.top, hole.right, hole.bottom)
    this.ring.hidden = !box
    if (!box) this.over.hidden = true
  }
}

/** Physical sides: these are coordinates of the viewport, whatever the direction of writing. */
export function put(element: HTMLElement, left: number, top: number, right: number, bottom: number): void {
  const { style } = element
  style.left = `${left}px`
  style.top = `${top}px`
  style.width = `${Math.max(0, right - left)}px`
  style.height = `${Math.max(0, bottom - top)}px`
}

// The editor's own element: a shadow root at the end of the body, above everything, whose events the
// page does not see. What a click or an input does is written down beside the element, as the shield
// hides events from listeners inside as well.

import type { Shield } from '../loader/shield.ts'
import { clicks, el } from '../page/dom.ts'
import style from './editor.css'

type Edit = (value: string, element: HTMLInputElement) => void

const edits = new WeakMap<EventTarget, Edit>()

export class Surface {
  readonly element = el('div', { id: 'passeur-editor' })
  readonly root: ShadowRoot

  constructor(shield: Shield) {
    this.root = this.element.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(style)
    this.root.adoptedStyleSheets = [sheet]
    shield.element = this.element
    shield.heard = (event) => this.heard(event)
  }

  open(...parts: HTMLElement[]): void {
    this.root.replaceChildren(...parts)
    document.body.append(this.element)
    this.element.popover = 'manual'
    this.element.showPopover()
  }

  /** Above what was put on top of the page since: a tour that is shown covers the page, not the editor. */
  stayAbove(other: string): void {
    const raise = ({ target, newState }: ToggleEvent) => {
      if ((target as Element).id !== other || newState !== 'open') return
      this.element.hidePopover()
      this.element.showPopover()
    }
    document.addEventListener('toggle', (event) => raise(event as ToggleEvent), true)
  }

  close(): void {
    this.element.remove()
  }

  private heard(event: Event): void {
    const [target] = event.composedPath()
    if (!(target instanceof Element)) return
    if (event.type === 'click') {
      for (let at: Element | null = target; at; at = at.parentElement) {
        const act = clicks.get(at)
        if (act) return act(event)
      }
    }
    // `change` does not leave a shadow root; `input` does, of every kind of control.
    if (event.type === 'input') edits.get(target)?.((target as HTMLInputElement).value, target as HTMLInputElement)
  }
}

type Given = Parameters<typeof el>[1]

let count = 0

/** The name is the label alone: a label around a list would be named by what is in the list, too. */
function named<E extends HTMLElement>(label: string, control: E, edit: Edit, hint?: string): HTMLElement {
  edits.set(control, edit)
  const id = `label-${++count}`
  control.setAttribute('aria-labelledby', id)
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`)
  return el('label', {}, el('span', { id }, label), control, hint ? el('small', { id: `${id}-hint` }, hint) : null)
}

export function input(label: string, value: string, edit: Edit, more: Given = {}): HTMLElement {
  const control = el('input', { type: 'text', ...more })
  control.value = value
  return named(label, control, edit)
}

export function area(label: string, value: string, edit: Edit, hint: string): HTMLElement {
  const control = el('textarea', { rows: '5', key: 'body' })
  control.value = value
  return named(label, control, edit, hint)
}

export function select(label: string, options: [value: string, text: string][], value: string, edit: Edit, more: Given = {}): HTMLElement {
  const control = el('select', more, ...options.map(([value, text]) => el('option', { value }, text)))
  control.value = value
  return named(label, control, edit)
}

export function check(label: string, on: boolean, edit: (on: boolean) => void): HTMLElement {
  const control = el('input', { type: 'checkbox' })
  control.checked = on
  edits.set(control, (_, { checked }) => edit(checked))
  return el('label', { class: 'check' }, control, el('span', {}, label))
}

export function radio(name: string, content: (Node | string)[], on: boolean, edit: () => void): HTMLElement {
  const control = el('input', { type: 'radio', name })
  control.checked = on
  edits.set(control, edit)
  return el('label', { class: 'check' }, control, el('span', {}, ...content))
}

export const button = (text: string, act: () => void, more: Given = {}): HTMLButtonElement => el('button', { type: 'button', click: act, ...more }, text)

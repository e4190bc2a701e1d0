// The player's one element: last child of the body, a shadow root, and a manual popover while
// something shows, so that it lies above Nextcloud's menus, dialogs and toasts without a z-index.

import type { Shield } from '../loader/shield.ts'
import { clicks, el, focused } from '../page/dom.ts'
import style from './style.css'

export class Host {
  readonly element = el('div', { id: 'passeur-tours' })
  private readonly root: ShadowRoot
  /** Direction of writing is Nextcloud's, which says it on the body since 31, and before by language. */
  readonly layer = el('div', { dir: direction() })
  private readonly live = el('div', { class: 'sr', role: 'status', 'aria-live': 'polite' })
  /** Keys of what shows, the latest first asked. */
  readonly keys: ((event: KeyboardEvent) => void)[] = []
  private back: Element | null = null

  constructor(private readonly shield: Shield) {
    this.root = this.element.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(style)
    this.root.adoptedStyleSheets = [sheet]
    this.layer.append(this.live)
    this.root.append(this.layer)
    shield.element = this.element
    shield.heard = (event) => this.heard(event)
  }

  /** Adds a part on top of the page; the returned function takes it away. */
  add(...parts: HTMLElement[]): () => void {
    if (!this.element.isConnected) document.body.append(this.element)
    this.layer.append(...parts)
    if (this.element.popover !== 'manual') {
      this.element.popover = 'manual'
      this.element.showPopover()
    }
    return () => {
      for (const part of parts) part.remove()
      if (this.layer.childElementCount <= 1) this.hide()
    }
  }

  private hide(): void {
    if (this.element.popover) this.element.hidePopover()
    this.element.removeAttribute('popover')
  }

  /** Above dialogs that opened meanwhile: the top layer is in the order of opening. */
  raise(): void {
    if (!this.element.popover) return
    this.element.hidePopover()
    this.element.showPopover()
  }

  /** Remembers where the focus was on the page, once, and takes it. */
  take(heading: HTMLElement): void {
    const now = focused()
    if (now && !this.root.contains(now) && now !== document.body) this.back ??= now
    heading.focus({ preventScroll: true })
  }

  holdsFocus(): boolean {
    return this.root.activeElement !== null
  }

  /** The focus goes back to where it was, if that is still there. */
  giveBack(instead?: HTMLElement | null): void {
    const to = this.back?.isConnected ? this.back : (instead ?? null)
    this.back = null
    if (this.holdsFocus() || document.activeElement === document.body) (to as HTMLElement | null)?.focus?.({ preventScroll: true })
  }

  say(text: string): void {
    this.live.textContent = text
  }

  /** The shield gives us what is hidden from the page. */
  private heard(event: Event): void {
    const [target] = event.composedPath()
    if (event.type === 'click' && target instanceof Element) {
      for (let at: Element | null = target; at; at = at.parentElement) {
        const act = clicks.get(at)
        if (act) return act(event)
      }
    }
    if (event.type === 'keydown') this.keys.at(-1)?.(event as KeyboardEvent)
  }

  destroy(): void {
    this.hide()
    this.element.remove()
    this.shield.element = null
  }
}

function direction(): string {
  const given = document.body.dir || document.documentElement.dir
  return given || (/^(ar|fa|he|ug|ur|yi|ckb|dv|ps|sd)\b/.test(document.documentElement.lang) ? 'rtl' : 'ltr')
}

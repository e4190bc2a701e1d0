// Small questions to the page.

/** In the page, laid out, and neither it nor what holds it hidden, or inert as a navigation that is closed on phones. */
export function visible(element: Element): boolean {
  if (!element.isConnected || element.closest('[inert]')) return false
  const shown = element.checkVisibility?.({ visibilityProperty: true, contentVisibilityAuto: true }) ?? true
  if (!shown) return false
  const { width, height } = element.getBoundingClientRect()
  return width > 0 && height > 0
}

/** The frame element that shows the element's document, if it is not the top one. */
export function frameOf(element: Element): HTMLElement | null {
  const view = element.ownerDocument.defaultView
  return view === window ? null : ((view?.frameElement as HTMLElement | null) ?? null)
}

/** In coordinates of the top viewport, through same-origin frames; cut to what the frame shows. */
export function rect(element: Element): DOMRect {
  const own = element.getBoundingClientRect()
  const frame = frameOf(element)
  if (!frame) return own
  const around = rect(frame)
  const [x, y] = [around.x + frame.clientLeft, around.y + frame.clientTop]
  const left = Math.max(x, x + own.x)
  const top = Math.max(y, y + own.y)
  const right = Math.min(x + frame.clientWidth, x + own.right)
  const bottom = Math.min(y + frame.clientHeight, y + own.bottom)
  return new DOMRect(left, top, Math.max(0, right - left), Math.max(0, bottom - top))
}

export function focused(): Element | null {
  let active = document.activeElement
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement
  return active
}

/** Whether the person is in the middle of writing something. */
export function writing(): boolean {
  const active = focused()
  if (active instanceof HTMLInputElement) return /^(text|search|email|url|tel|password|number)$/.test(active.type) && active.value !== ''
  if (active instanceof HTMLTextAreaElement) return active.value !== ''
  return active instanceof HTMLElement && active.isContentEditable && !!active.textContent
}

/** Dialogs, the first-run wizard, terms of service, change logs; and other tours. */
const BUSY = '.modal-mask, .modal-wrapper, dialog[open], #firstrunwizard, #terms_of_service_content, [aria-modal="true"], .introjs-overlay, .shepherd-element'

export function busy(): boolean {
  return [...document.querySelectorAll(BUSY)].some(visible)
}

/** Another app with tours of its own is installed here. */
export function otherTours(): boolean {
  return 'introVox' in window || !!document.querySelector('.introjs-overlay, .shepherd-element')
}

export const reducedMotion = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches

type Attributes = Record<string, string | boolean | null | undefined | ((event: Event) => void)>

/** An element with attributes (false and null are left out) and children; text stays text. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string | null | undefined | false)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') clicks.set(element, value)
    else if (value === true) element.setAttribute(key, '')
    else if (typeof value === 'string') element.setAttribute(key, value)
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false))
  return element
}

/**
 * What a click does. The shield hides clicks from listeners, ours included, so it is written down
 * here instead of in a listener.
 */
export const clicks = new WeakMap<Element, (event: Event) => void>()

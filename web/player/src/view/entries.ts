// Entries in the account menu, made when it opens: each is a copy of a native entry, so it looks and
// reads like its neighbours in every release. A framework that throws them away gets them again the
// next time; nothing watches the page.

import { helpIcon, svg } from '../loader/button.ts'

const overIcon = svg('M6 2h8v2H6v16h12v-6h2v8H4V2zm10.6 2.6L22 10l-5.4 5.4-1.4-1.4 3-3H10V9h8.2l-3-3z')

export interface Entry {
  id: string
  label: string
  icon: 'help' | 'over'
  /** An address, or what a click does. */
  go: string | ((opener: HTMLElement) => void)
}

const TRIGGER = '[aria-controls="header-menu-user-menu"]'

/** Called after each click on the menu's trigger; waits some frames for a menu that is made only now. */
export function addEntries(entries: Entry[], frames = 60): void {
  const list = document.querySelector('#header-menu-user-menu ul')
  const model = [...(list?.children ?? [])].filter((item) => item.querySelector('a[href]')).at(-1)
  if (!model) {
    if (frames) requestAnimationFrame(() => addEntries(entries, frames - 1))
    return
  }
  for (const entry of entries) if (!document.getElementById(entry.id)) model.before(copied(model, entry))
}

/** The model's markup with our words, icon and address, and nothing that was only the model's. */
function copied(model: Element, { id, label, icon, go }: Entry): Element {
  const item = model.cloneNode(true) as Element
  for (const each of [item, ...item.querySelectorAll('*')]) {
    for (const name of ['id', 'aria-current', 'aria-label', 'title', 'aria-describedby', 'data-id']) each.removeAttribute(name)
    for (const name of [...each.classList]) if (/active/.test(name)) each.classList.remove(name)
  }
  const link = item.querySelector('a') as HTMLAnchorElement
  link.id = id
  link.href = typeof go === 'string' ? go : '#'
  link.removeAttribute('target')
  const picture = item.querySelector('img, svg')
  if (picture) {
    const image = document.createElement('img')
    image.alt = ''
    image.className = picture.getAttribute('class') ?? ''
    image.src = `data:image/svg+xml,${encodeURIComponent(icon === 'help' ? helpIcon : overIcon)}`
    picture.replaceWith(image)
  }
  worded(link, label)
  if (typeof go !== 'string') {
    link.setAttribute('role', 'button')
    link.addEventListener('click', (event) => {
      event.preventDefault()
      const trigger = document.querySelector<HTMLElement>(TRIGGER)
      if (trigger?.getAttribute('aria-expanded') === 'true') trigger.click()
      go(trigger ?? link)
    })
  }
  return item
}

/** Puts the label where the model has its first words. */
function worded(link: Element, label: string): void {
  const walker = document.createTreeWalker(link, NodeFilter.SHOW_TEXT)
  let done = false
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.nodeValue?.trim()) continue
    node.nodeValue = done ? '' : label
    done = true
  }
  if (!done) link.append(label)
}


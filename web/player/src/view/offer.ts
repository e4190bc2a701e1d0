// The one question a day: a small card in the corner that waits. It takes no focus and covers
// nothing; "Later" asks again another day, "Not again" never.

import { busy, el } from '../page/dom.ts'
import { watch } from '../page/watch.ts'
import type { Words } from '../words.ts'
import { button, type Button } from './bubble.ts'
import type { Host } from './host.ts'

export function card(host: Host, words: Words, title: string, text: string, buttons: Button[], escape?: () => void): () => void {
  const close = () => {
    if (!part.isConnected) return
    unwatch()
    host.keys.splice(host.keys.indexOf(keys), 1)
    host.giveBack()
    remove()
  }
  const closing = buttons.map(({ act, ...rest }) => ({ ...rest, act: () => (close(), act()) }))
  const heading = el('h2', { id: 'offer-title', tabindex: '-1' }, title)
  const part = el(
    'section',
    { class: 'card corner', role: 'dialog', 'aria-labelledby': 'offer-title', 'aria-describedby': 'offer-text' },
    heading,
    el('p', { id: 'offer-text' }, text),
    el('div', { class: 'foot' }, ...closing.map(button)),
  )
  const keys = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    close()
    escape?.()
  }
  host.keys.push(keys)
  const remove = host.add(part)
  // A dialog that opens meanwhile goes first.
  const unwatch = watch(() => (part.hidden = busy()))
  host.say(`${title}. ${text} ${words.text('reach')}`)
  return close
}

// A tour's words become nodes, never HTML. Inline: **bold**, `code`, [[Key]], [text](address).

import type { Block } from './format.ts'
import { el } from './page/dom.ts'

const INLINE = /\*\*(.+?)\*\*|`([^`]+)`|\[\[(.+?)\]\]|\[([^\]]+)\]\(([^)\s]+)\)/g

export function inline(text: string, root: string): Node[] {
  const nodes: Node[] = []
  let last = 0
  for (const match of text.matchAll(INLINE)) {
    const [all, bold, code, key, label, address] = match
    nodes.push(document.createTextNode(text.slice(last, match.index)))
    if (bold !== undefined) nodes.push(el('strong', {}, ...inline(bold, root)))
    else if (code !== undefined) nodes.push(el('code', {}, code))
    else if (key !== undefined) nodes.push(el('kbd', {}, key))
    else nodes.push(link(label ?? '', address ?? '', root))
    last = match.index + all.length
  }
  nodes.push(document.createTextNode(text.slice(last)))
  return nodes
}

/** Same origin (below the web root), or https in a new tab; anything else stays words. */
function link(label: string, address: string, root: string): Node {
  if (/^\/(?!\/)/.test(address)) return el('a', { href: root + address }, label)
  if (/^https:\/\//.test(address)) return el('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, label)
  return document.createTextNode(label)
}

export function blocks(body: string | Block[] | undefined, root: string): Node[] {
  const parts = typeof body === 'string' ? [body] : (body ?? [])
  return parts.map((block) =>
    typeof block === 'string'
      ? el('p', {}, ...inline(block, root))
      : el('ul', {}, ...block.list.map((item) => el('li', {}, ...inline(item, root)))),
  )
}

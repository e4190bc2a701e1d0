// From an element to selectors that will find it in the next release, too: what Nextcloud marks for
// its own tests first, then ids and relations, then names of components. Never what is generated,
// translated, or a matter of position.

import { visible } from '../page/dom.ts'

/** Why a selector may break, or point at the wrong thing. */
export type Doubt = 'several' | 'nothing' | 'position' | 'generated' | 'words' | 'common' | 'deep' | 'personal' | 'invalid'

export interface Proposal {
  css: string
  doubts: Doubt[]
}

/** How far up a mark is looked for, and how many proposals are made. */
const CLIMB = 8
const MOST = 3

const GENERATED = /^(nc-vue|v-|el-|uid|radix|headlessui|tippy|popper|tab-panel)|(^|[-_:])\d+$|\d{3,}|[0-9a-f]{8,}/i
const HASHED = /[-_](?=[a-z0-9]*\d)(?=[a-z0-9]*[a-z])[a-z0-9]{5,}$/i
const STATE = /(^|[-_])(active|open|opened|closed|selected|hover|focus|focused|visible|hidden|disabled|expanded|collapsed|loading|current|checked|dragging|dark|light|mobile)$/
/** Of Nextcloud's component library: on every page, in many places. */
const COMMON = /^(button-vue|icon-vue|material-design-icon|v-popper|action-item|action-button|list-item|app-navigation-entry|checkbox-radio-switch|avatardiv|hidden-visually)(__|--|$)/

const stable = (value: string): boolean => value.length > 1 && value.length < 60 && !GENERATED.test(value) && !HASHED.test(value)

/** A name that is of this account and not of Nextcloud: a file, a person, an address. */
const personal = (name: string, value: string): boolean => /name|title|path|email|user/.test(name) || /\.\w{2,4}$|@|\s/.test(value)

const quoted = (name: string, value: string): string => (value ? `[${name}="${value.replace(/["\\]/g, '\\$&')}"]` : `[${name}]`)

/** What is said of the element itself, the best first. */
function marks(element: Element): string[] {
  const [cy, data]: [string[], string[]] = [[], []]
  for (const { name, value } of element.attributes) {
    if (!name.startsWith('data-') || name.startsWith('data-v-')) continue
    // What is of this account would point at nothing in another one.
    const mark = personal(name, value) ? '' : quoted(name, value)
    if (name.startsWith('data-cy-')) cy.push(mark || quoted(name, ''))
    else if (mark && value && stable(value)) data.push(mark)
  }
  const ids = element.id && stable(element.id) ? [`#${CSS.escape(element.id)}`] : []
  const controls = element.getAttribute('aria-controls') ?? ''
  const relation = controls && stable(controls) ? [quoted('aria-controls', controls)] : []
  const name = element.getAttribute('name') ?? ''
  const named = name && stable(name) ? [`${element.localName}${quoted('name', name)}`] : []
  const app = element instanceof HTMLAnchorElement && /\/(apps|settings)\/[a-z_-]+/.exec(element.pathname)?.[0]
  const link = app ? [`a[href*="${app}"]`] : []
  const classes = [...element.classList].filter((each) => /[-_]/.test(each) && stable(each) && !STATE.test(each) && !/^(v|css|sc|jsx)-/.test(each))
  const own = classes.filter((each) => !COMMON.test(each))
  return [...cy, ...ids, ...relation, ...data, ...named, ...link, ...(own.length ? own : []).map((each) => `.${CSS.escape(each)}`)]
}

export const matching = (css: string): Element[] => [...document.querySelectorAll(css)].filter(visible)

/** Selectors for an element, the most durable first; empty where nothing durable is near. */
export function propose(element: Element): Proposal[] {
  const own = marks(element)
  const found = own.map((css) => judge(css, element))
  const tails = [...own, element.localName]
  let around = element.parentElement
  for (let i = 0; i < CLIMB && around && around !== document.body && !found.some(({ doubts }) => !doubts.length); i++) {
    for (const mark of marks(around).slice(0, 2)) {
      for (const tail of tails) {
        const proposal = judge(`${mark} ${tail}`, element)
        if (!proposal.doubts.includes('several') && !proposal.doubts.includes('nothing')) found.push(proposal)
      }
    }
    around = around.parentElement
  }
  const order = [...new Map(found.map((each) => [each.css, each])).values()]
  return order.sort((a, b) => weight(a) - weight(b)).slice(0, MOST)
}

const weight = ({ doubts }: Proposal): number => doubts.length + (doubts.includes('several') || doubts.includes('nothing') ? 10 : 0)

/** What speaks against a selector, whoever wrote it. */
export function judge(css: string, element?: Element): Proposal {
  const doubts: Doubt[] = []
  let all: Element[] = []
  try {
    all = matching(css)
  } catch {
    return { css, doubts: ['invalid'] }
  }
  if (!all.length || (element && !all.includes(element))) doubts.push('nothing')
  else if (all.length > 1) doubts.push('several')
  if (/:nth|:first|:last|:only/.test(css)) doubts.push('position')
  if (/\[(aria-label|title|alt|placeholder)\b/.test(css)) doubts.push('words')
  const ids = [...css.matchAll(/[#.]([\w-]+)/g)].map(([, name]) => name ?? '')
  if (/data-v-/.test(css) || ids.some((name) => GENERATED.test(name) || HASHED.test(name))) doubts.push('generated')
  if (ids.some((name) => COMMON.test(name))) doubts.push('common')
  if (css.split(/[\s>+~]+/).length > 3) doubts.push('deep')
  if ([...css.matchAll(/\[([\w-]+)[*^$~|]?="([^"]*)"\]/g)].some(([, name = '', value = '']) => name !== 'href' && personal(name === 'name' ? '' : name, value))) doubts.push('personal')
  return { css, doubts }
}

/** The open menu that an element lies in, by the button that opened it. */
export function opener(element: Element): HTMLElement | null {
  const open = [...document.querySelectorAll<HTMLElement>('[aria-expanded="true"]')].filter((button) => visible(button) && !button.contains(element))
  const controls = open.find((button) => {
    const menu = document.getElementById(button.getAttribute('aria-controls') ?? '')
    return menu?.contains(element)
  })
  if (controls) return controls
  // Menus that are put at the end of the page: the button says only that something is open.
  const floats = element.closest('.v-popper__popper, [role=menu], [popover]')
  return floats ? (open.find((button) => button.matches('[aria-haspopup]') && !floats.contains(button)) ?? null) : null
}

// @vitest-environment happy-dom
// What is written, and how things are found again.
import { beforeEach, describe, expect, test } from 'vitest'
import { BELOW, blocks, CONDITIONS, Draft, END, plain } from '../src/editor/draft.ts'
import { judge, opener, propose } from '../src/editor/propose.ts'
import { zip } from '../src/editor/zip.ts'

/** A tour of these steps, each leading to the next. */
function draft(ids: string[], more: Record<string, object> = {}): Draft {
  const steps = Object.fromEntries(ids.map((id, at) => [id, { target: 'none', text: id, ...(ids[at + 1] ? { next: ids[at + 1] } : {}), ...more[id] }]))
  return new Draft('hello', { 'hello/tour.json': JSON.stringify({ $v: 1, id: 'hello', rev: 1, start: ids[0], steps }) }, 'fr')
}

const chain = (it: Draft): string[] => {
  const seen: string[] = []
  for (let at: string | undefined = it.tour.start; at && !seen.includes(at); at = it.step(at).next as string | undefined) seen.push(at)
  return seen
}

describe('a draft', () => {
  test('begins with one step, in English and the language of the page', () => {
    const it = new Draft('hello', {}, 'fr')
    expect(it.order).toEqual(['step-1'])
    it.setWords('fr', 'tour.title', ' Bonjour ')
    expect(Object.keys(it.files()).sort()).toEqual(['hello/locales/en.json', 'hello/locales/fr.json', 'hello/tour.json'])
    expect(JSON.parse(it.files()['hello/locales/fr.json'] ?? '')).toEqual({ 'tour.title': 'Bonjour' })
  })

  test('what is not known stays as it was', () => {
    const it = draft(['a', 'b'], { a: { before: [{ goto: 'files' }], next: [{ if: { admin: true }, to: 'b' }] } })
    it.setNext('a', CONDITIONS)
    expect(it.next('a')).toBe(CONDITIONS)
    expect(JSON.parse(it.files()['hello/tour.json'] ?? '').steps.a).toEqual({ target: 'none', text: 'a', before: [{ goto: 'files' }], next: [{ if: { admin: true }, to: 'b' }] })
  })

  test('moves steps, and every one is still reached', () => {
    for (const [id, by, order] of [['a', 1, 'bac'], ['b', -1, 'bac'], ['b', 1, 'acb'], ['c', -1, 'acb'], ['a', -1, 'abc'], ['c', 1, 'abc']] as const) {
      const it = draft(['a', 'b', 'c'])
      it.move(id, by)
      expect(it.order.join('')).toBe(order)
      expect(chain(it).join('')).toBe(order)
    }
  })

  test('adds a step anywhere, and takes one away', () => {
    const it = draft(['a', 'b', 'c'])
    expect(it.add('a')).toBe('step-4')
    expect(chain(it)).toEqual(['a', 'step-4', 'b', 'c'])
    expect(it.add('c')).toBe('step-5')
    expect(chain(it)).toEqual(['a', 'step-4', 'b', 'c', 'step-5'])
    it.remove('step-4')
    it.remove('a')
    it.remove('step-5')
    expect(chain(it)).toEqual(['b', 'c'])
    expect(it.next('b')).toBe(BELOW)
    expect(it.next('c')).toBe(END)
    it.remove('b')
    expect(it.remove('c')).toBe(false)
  })

  test('branches: a choice leads where it is told, and on when that step goes', () => {
    const it = draft(['a', 'b', 'c'])
    it.addChoice('a')
    const choice = it.step('a').choices?.[0]
    if (choice) choice.to = 'b'
    it.setWords('en', 'a.choice-1', 'Go on')
    it.setNext('a', 'c')
    expect(it.next('a')).toBe('c')
    it.remove('b')
    expect(it.step('a').choices).toEqual([{ text: 'choice-1', to: 'c' }])
    it.removeChoice('a', 'choice-1')
    expect(it.step('a').choices).toBeUndefined()
    expect(it.words('en', 'a.choice-1')).toBe('')
  })

  test('words that belong to nothing go with their step', () => {
    const it = draft(['a', 'b'])
    it.setWords('en', 'a.title', 'A')
    it.setWords('en', 'b.title', 'B')
    it.remove('a')
    expect(it.locales.en).toEqual({ 'b.title': 'B' })
  })

  test('a target of its own, with the menu it is in', () => {
    const it = draft(['a'])
    it.point('a', '#x', { css: '#menu' })
    expect(it.step('a').target).toBe('own-hello.a')
    expect(JSON.parse(it.files()['targets/own-hello.json'] ?? '')).toEqual({
      $v: 1, area: 'own-hello', targets: { 'a-opens': { any: [{ css: '#menu' }] }, a: { any: [{ css: '#x' }], needs: [{ open: 'own-hello.a-opens' }] } },
    })
    it.name('a', 'files.new')
    expect(it.files()['targets/own-hello.json']).toBeUndefined()
  })

  test('text is paragraphs and lists, there and back', () => {
    for (const text of ['One.', 'One.\n\nTwo.', 'One:\n\n- a\n- b\n\nTwo.']) expect(plain(blocks(text))).toBe(text)
    expect(blocks('One:\n- a\n- b')).toEqual(['One:', { list: ['a', 'b'] }])
    expect(blocks('<b>no</b>')).toBe('<b>no</b>')
  })
})

describe('a proposal', () => {
  beforeEach(() => {
    document.body.innerHTML = ''
    // No layout here: everything has a size.
    Element.prototype.getBoundingClientRect = () => new DOMRect(0, 0, 10, 10)
    Element.prototype.checkVisibility = () => true
  })

  const best = (html: string): string[] => {
    document.body.innerHTML = html
    return propose(document.querySelector('[x]') as Element).map(({ css }) => css)
  }

  test('takes what Nextcloud marks for its tests, then ids, relations, components', () => {
    expect(best('<div data-cy-upload-picker x id="nc-vue-3"></div>')[0]).toBe('[data-cy-upload-picker]')
    expect(best('<a x id="settings" class="entry-link"></a>')[0]).toBe('#settings')
    expect(best('<button x aria-controls="header-menu-user-menu" class="button-vue"></button>')[0]).toBe('[aria-controls="header-menu-user-menu"]')
    expect(best('<div class="app-navigation-header"><button x class="new-event button-vue"></button></div>')[0]).toBe('.new-event')
    expect(best('<div data-cy-files-list><button x></button></div>')[0]).toBe('[data-cy-files-list] button')
    expect(best('<a x href="/index.php/apps/calendar/"></a>')[0]).toBe('a[href*="/apps/calendar"]')
  })

  test('never takes what is generated, translated, a state or a position', () => {
    for (const html of [
      '<p><b x data-v-1a2b3c4d id="nc-vue-12" class="button-vue active _wrap_1x2y3z" aria-label="Nouveau" title="Nouveau"></b></p><b></b>',
      '<p><b x id="el-4711" class="is-open"></b><b></b></p>',
    ]) {
      for (const css of best(html)) expect(css).not.toMatch(/data-v|nc-vue|el-4711|active|_wrap|Nouveau|nth|is-open/)
    }
  })

  test('a name of this account is not in it', () => {
    for (const css of best('<ul data-cy-files-list><li x data-cy-files-list-row-name="salaries.ods"></li><li data-cy-files-list-row-name="b.md"></li></ul>')) expect(css).not.toContain('salaries')
  })

  test('warns of what may break', () => {
    document.body.innerHTML = '<ul><li id="a"></li><li></li></ul>'
    const doubts = (css: string) => judge(css).doubts
    expect(doubts('#a')).toEqual([])
    expect(doubts('li')).toEqual(['several'])
    expect(doubts('li:nth-child(1)')).toContain('position')
    expect(doubts('[aria-label="New"]')).toEqual(['nothing', 'words'])
    expect(doubts('[data-v-12345678]')).toContain('generated')
    expect(doubts('#nc-vue-7')).toContain('generated')
    expect(doubts('.button-vue')).toContain('common')
    expect(doubts('body > ul li em b')).toContain('deep')
    expect(doubts('[data-cy-files-list-row-name="salaries.ods"]')).toContain('personal')
    expect(doubts('li[')).toEqual(['invalid'])
  })

  test('knows the open menu around it', () => {
    document.body.innerHTML = '<button id="m" aria-controls="menu" aria-expanded="true"></button><div id="menu"><a id="in"></a></div><button id="p" aria-haspopup="menu" aria-expanded="true"></button><div class="v-popper__popper"><a id="float"></a></div><a id="out"></a>'
    const at = (id: string) => opener(document.getElementById(id) as Element)?.id
    expect(at('in')).toBe('m')
    expect(at('float')).toBe('p')
    expect(at('out')).toBeUndefined()
  })
})

test('a ZIP is one', async () => {
  const bytes = new Uint8Array(await zip({ 'a/b.json': '{"é": 1}\n', c: 'x' }).arrayBuffer())
  const view = new DataView(bytes.buffer)
  expect(view.getUint32(0, true)).toBe(0x04034b50)
  // What Python, unzip and others compute for these bytes.
  expect(view.getUint32(bytes.length - 22, true)).toBe(0x06054b50)
  expect(view.getUint16(bytes.length - 12, true)).toBe(2)
})

// The editor in a real Chromium, on the page of hard cases: a tour is written from nothing, by mouse
// and by keyboard, shown, and exported.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { after, before, beforeEach, describe, test } from 'node:test'
import { bundle } from './build.mjs'
import { findings, launch, open, ui } from './browser.mjs'
import { serve } from './server.mjs'

let browser
let page_
let site

before(async () => {
  ;[browser, page_] = await Promise.all([launch(), bundle('hard.mjs')])
})
after(() => browser.close())
beforeEach(async (context) => {
  site = await serve({ page: page_ })
  site.state.editing = { tour: 'hello', files: null }
  context.after?.(() => site.close())
})

async function start({ options, path = '/apps/hard/' } = {}) {
  const page = await open(browser, options)
  await page.goto(`${site.origin}${path}`)
  await page.waitForSelector('body[data-ready]', { state: 'attached' })
  const panel = page.locator('#passeur-editor .panel')
  await panel.waitFor()
  return {
    page,
    panel,
    press: (name) => panel.getByRole('button', { name, exact: true }).click(),
    field: (label) => panel.getByLabel(label, { exact: true }),
    step: (name) => panel.locator('.steps .name').filter({ hasText: name }),
    ...ui(page),
  }
}

/** What is kept, once the editor has said so. */
async function kept({ panel }) {
  await panel.getByText('Kept.', { exact: false }).waitFor()
  return Object.fromEntries(Object.entries(site.state.editing.files).map(([name, text]) => [name, JSON.parse(text)]))
}

async function finish({ page }) {
  assert.deepEqual(page.errors, [])
  assert.deepEqual(site.state.violations, [])
  await page.context().close()
  site.close()
}

const account = '[aria-controls="header-menu-user-menu"]'

describe('the editor', () => {
  test('writes a tour: words, a known target, one in an open menu, order, a branch; shows it; exports it', async () => {
    const it = await start()
    const { page, panel, press, field, step, title, button } = it
    await field('Title of the tour').fill('Hello <b>you</b>')
    await field('In one sentence').fill('Three steps.')
    await field('Title').fill('Welcome')
    await panel.locator('textarea').fill('First **this**:\n\n- one\n- two')

    // A target that a pack of the site knows by name.
    await press('Add a step below')
    await field('Title').fill('Row')
    await press('Point at an element')
    await page.locator('#vanishing').click()
    await panel.getByText('hard.vanishing').waitFor()
    await press('Use it')

    // One inside a menu, which the person opened, and which stays open.
    await press('Add a step below')
    await field('Title').fill('Log out')
    await press('Other side')
    await page.locator(account).click()
    await page.locator('#logout').waitFor()
    await press('Point at an element')
    await page.locator('#logout').click()
    assert.equal(new URL(page.url()).pathname, '/apps/hard/', 'pointing is not clicking')
    assert.equal(await page.locator(account).getAttribute('aria-expanded'), 'true')
    await panel.getByText('#logout').waitFor()
    assert.equal(await field('It is in a menu: open it first').isChecked(), true)
    await press('Use it')
    await page.locator(account).click()

    // Another order, and a button that leads past a step.
    await press('Move up: Log out')
    await step('Welcome').click()
    await press('Add a button')
    await field('Words on the button').fill('Only the row')
    await field('leads to').selectOption({ label: '3. Row' })
    await field('Language of the words').selectOption('en')

    const files = await kept(it)
    assert.deepEqual(Object.keys(files), ['hello/tour.json', 'hello/locales/en.json', 'targets/own-hello.json'])
    const { steps, start: first } = files['hello/tour.json']
    assert.equal(first, 'step-1')
    assert.deepEqual(Object.keys(steps), ['step-1', 'step-3', 'step-2'])
    assert.deepEqual([steps['step-1'].next, steps['step-3'].next, steps['step-2'].next], ['step-3', 'step-2', undefined])
    assert.deepEqual(steps['step-1'].choices, [{ text: 'choice-1', to: 'step-2' }])
    assert.equal(steps['step-2'].target, 'hard.vanishing')
    assert.deepEqual(files['hello/locales/en.json']['step-1.body'], ['First **this**:', { list: ['one', 'two'] }])
    const { targets } = files['targets/own-hello.json']
    assert.equal(targets['step-3'].any[0].css, '#logout')
    assert.ok(targets['step-3'].needs[0].open)

    // As everybody would see it; what is written is text.
    await press('Preview')
    await title.filter({ hasText: 'Welcome' }).waitFor()
    await it.bubble.locator('li').filter({ hasText: 'two' }).waitFor()
    await button('Only the row').click()
    await title.filter({ hasText: 'Row' }).waitFor()
    await button('Back').click()
    await page.reload()
    await title.filter({ hasText: 'Welcome' }).waitFor()
    await panel.waitFor()
    await button('Only the row').click()
    await title.filter({ hasText: 'Row' }).waitFor()
    await button('Finish').click()
    assert.deepEqual(site.state.events, [])
    assert.equal(site.state.property, null, 'a preview is nobody’s progress')

    await press('Show the editor')
    await step('Log out').click()
    await press('Preview from here')
    await title.filter({ hasText: 'Log out' }).waitFor()
    await it.ring.waitFor()
    assert.equal(await page.locator(account).getAttribute('aria-expanded'), 'true')
    await page.keyboard.press('Escape')
    await press('Show the editor')

    const [download] = await Promise.all([page.waitForEvent('download'), press('Export the files')])
    assert.equal(download.suggestedFilename(), 'hello.zip')
    const folder = mkdtempSync(join(tmpdir(), 'tour-'))
    await download.saveAs(join(folder, 'hello.zip'))
    const read = (name) => execFileSync('python3', ['-c', 'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; sys.stdout.buffer.write(z.read(sys.argv[2]))', join(folder, 'hello.zip'), name]).toString()
    assert.equal(read('hello/locales/en.json'), site.state.editing.files['hello/locales/en.json'])
    await finish(it)
  })

  test('by keyboard alone: pointing, choosing, writing; and axe finds nothing serious', async () => {
    const it = await start()
    const { page, panel } = it
    const focus = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.textContent)
    await panel.locator('summary').focus()
    for (let i = 0; i < 40 && (await focus()) !== 'Point at an element'; i++) await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.locator('#passeur-editor .hint').waitFor()
    // Into the content, down to the heading, along to the list.
    const at = () => page.locator('#passeur-editor .hint div').textContent()
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) await page.keyboard.press(key)
    for (let i = 0; i < 6 && (await at()) !== '#list'; i++) await page.keyboard.press('ArrowRight')
    assert.equal(await at(), '#list')
    assert.deepEqual(await findings(page, '#passeur-editor'), [])
    await page.keyboard.press('Enter')
    await panel.getByText('durable', { exact: true }).first().waitFor()
    assert.equal(await focus(), 'Use it')
    assert.deepEqual(await findings(page, '#passeur-editor'), [])
    await page.keyboard.press('Enter')
    assert.equal((await kept(it))['targets/own-hello.json'].targets['step-1'].any[0].css, '#list')
    assert.equal(await page.evaluate(() => location.pathname), '/apps/hard/')
    // Escape ends pointing and changes nothing.
    await page.keyboard.press('Enter')
    await page.locator('#passeur-editor .hint').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('#passeur-editor .hint').waitFor({ state: 'detached' })
    assert.equal(await focus(), 'Point at an element')
    await finish(it)
  })

  test('warns of selectors that break, keeps what is wrong, and says so', async () => {
    const it = await start()
    const { panel, press, field } = it
    await field('or write a selector').fill('#content div:nth-child(2) [aria-label="New"]')
    await press('Use it')
    await panel.getByText('goes by position, which changes').waitFor()
    await panel.getByText('goes by words, which are translated').waitFor()
    site.state.problems = [{ file: 'hello/locales/en.json', line: 3, message: '`tour.title` is missing', error: true }]
    await field('Title').fill('Something')
    await panel.getByText('locales/en.json, line 3: `tour.title` is missing').waitFor()
    // The session ends elsewhere: what was written is still here to be exported.
    site.state.editing = null
    await field('Title').fill('Something else')
    await panel.getByText('The session has ended', { exact: false }).waitFor()
    await finish(it)
  })

  test('another language, a tour that is there, and the end', async () => {
    const tour = { $v: 1, id: 'hello', rev: 4, kind: 'tour', start: 'a', steps: { a: { target: 'none', text: 'a', when: { admin: true }, next: [{ if: { admin: true }, to: 'b' }, { to: 'b' }] }, b: { target: 'none', text: 'b' } } }
    site.state.editing.files = { 'hello/tour.json': JSON.stringify(tour), 'hello/locales/en.json': JSON.stringify({ 'tour.title': 'Hello', 'a.title': 'One', 'b.title': 'Two' }) }
    const it = await start({ options: { viewport: { width: 360, height: 640 } } })
    const { page, panel, press, field, step } = it
    await field('Another language (its code)').fill('br')
    await press('Add')
    await field('Title').fill('Unan')
    await step('Two').click()
    await field('Title').fill('Daou')
    const files = await kept(it)
    assert.deepEqual(files['hello/locales/br.json'], { 'a.title': 'Unan', 'b.title': 'Daou' })
    assert.deepEqual(files['hello/tour.json'], tour, 'what the editor does not know stays')
    await press('End the session')
    await Promise.all([page.waitForEvent('load'), press('End it')])
    await page.locator('#passeur-help').waitFor({ state: 'attached' })
    assert.equal(await page.locator('#passeur-editor').count(), 0)
    await finish(it)
  })
})

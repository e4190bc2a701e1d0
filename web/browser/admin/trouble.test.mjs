// What goes wrong on the way of a hand-over: a slow network, a lost answer, a session that ends, a tab
// that is closed, an item that fails, a plan that no longer holds.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { choose, demo, finish, looks, prepare, sign, skip, step } from './demo.mjs'

const site = demo()
const transfers = async () => (await site.api('GET', '/sites/demo/transfers?limit=500')).transfers

/** A small account of its own, so that tests do not meet. */
async function person(uid) {
  await site.ocs('POST', 'cloud/users', { userid: uid, password: `${uid}-ferry`, displayName: uid })
  site.accounts.push({ uid, password: `${uid}-ferry` })
  for (const name of ['one', 'two', 'three']) {
    await site.dav(uid, 'MKCOL', `files/${uid}/${name}`)
    await site.dav(uid, 'PUT', `files/${uid}/${name}/text.txt`, name)
  }
}

/** Confirms what is done to a hand-over. */
async function confirm(page, name, action = name) {
  await page.getByRole('button', { name, exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.locator('input[type=password]').fill(site.password('admin'))
  await dialog.getByRole('button', { name: action, exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
}

describe('trouble', { skip }, () => {
  test('a slow network: something is to be seen, nothing jumps, pressed twice is done once', async () => {
    await person('slow')
    const page = await site.as('admin')
    page.setDefaultTimeout(30_000)
    await page.addInitScript(() => {
      window.shift = 0
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
    })
    const network = await page.context().newCDPSession(page)
    await network.send('Network.enable')
    await network.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50 * 1024, uploadThroughput: 50 * 1024 })
    await network.send('Network.setCacheDisabled', { cacheDisabled: true })
    const begun = Date.now()
    await page.goto(`${site.http}/_passeur/`, { waitUntil: 'commit' })
    // Before the page's script is there, the page says that it comes.
    await page.waitForFunction(() => getComputedStyle(document.querySelector('#app'), '::before').content !== 'none' || document.querySelector('h1'))
    await page.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    assert.ok(Date.now() - begun < 15_000, `${Date.now() - begun} ms`)
    const on = await prepare(page, 'slow', 'Bob')
    await looks(page, 'slow')
    await on()
    await step(page, 'Hand over')
    const dialog = page.getByRole('dialog')
    await dialog.locator('input[type=password]').fill(site.password('admin'))
    const starts = []
    page.on('request', (request) => request.method() === 'POST' && request.url().endsWith('/transfers') && starts.push(request.url()))
    await dialog.getByRole('button', { name: 'Hand over now' }).dblclick()
    await page.waitForURL(/\/_passeur\/transfers\//)
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    assert.equal(starts.length, 1)
    assert.equal((await transfers()).filter(({ source }) => source === 'slow').length, 1)
    assert.ok((await page.evaluate(() => window.shift)) < 0.1, 'nothing jumps')
    await finish(page)
  })

  test('an answer that is lost: tried again, one hand-over begins', async () => {
    await person('lost')
    const page = await site.as('admin')
    await (await prepare(page, 'lost', 'Bob'))()
    let lost = 0
    await page.route('**/transfers', async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.fallback()
      lost += 1
      await route.fetch()
      await route.abort('connectionreset')
    })
    const dialog = await sign(page, site.password('admin'))
    await dialog.getByText('The server cannot be reached').waitFor()
    await looks(page, 'offline')
    await dialog.locator('input[type=password]').fill(site.password('admin'))
    await dialog.getByRole('button', { name: 'Hand over now' }).click()
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    assert.equal((await transfers()).filter(({ source }) => source === 'lost').length, 1)
    await finish(page)
  })

  test('an item that fails says so, the others go on, and it is tried again', async () => {
    await person('fails')
    await site.command({ trouble: { method: 'MOVE', path: 'fails/two', harm: { status: 403 }, times: 20 } })
    const page = await site.as('admin')
    await (await prepare(page, 'fails', 'Bob'))()
    await sign(page, site.password('admin'))
    await page.getByText('1 item needs a look').waitFor({ timeout: 60_000 })
    // It stands first, with its reason.
    const first = page.locator('#receipt').locator('xpath=ancestor::section').locator('.things > li').first()
    assert.match(await first.innerText(), /two[\s\S]*failed/)
    assert.equal(await page.getByText('handed over', { exact: true }).count(), 2)
    await looks(page, 'failed')
    await site.command({ clear_troubles: null })
    await confirm(page, 'Try again what failed', 'Continue')
    await page.getByText('Everything was handed over').waitFor({ timeout: 60_000 })
    await finish(page)
  })

  test('a tab that is closed in the middle: the work goes on, and is paused, resumed, cancelled', async () => {
    await person('closed')
    await site.command({ trouble: { method: 'MOVE', path: 'closed/', harm: { delay_ms: 3000 }, times: 20 } })
    let page = await site.as('admin')
    await (await prepare(page, 'closed', 'Bob'))()
    await sign(page, site.password('admin'))
    await page.waitForURL(/\/_passeur\/transfers\//)
    await page.getByRole('progressbar').waitFor()
    await looks(page, 'running')
    const context = page.context()
    await page.close()
    page = await context.newPage()
    page.errors = []
    page.setDefaultTimeout(15_000)
    await page.goto(`${site.http}/_passeur/`)
    await page.getByRole('link', { name: 'closed → bob' }).first().click()
    await confirm(page, 'Pause')
    await page.getByText('paused', { exact: true }).waitFor()
    await looks(page, 'paused')
    await confirm(page, 'Continue')
    await confirm(page, 'Cancel hand-over')
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    await page.getByText('cancelled', { exact: true }).waitFor()
    await looks(page, 'cancelled')
    await site.command({ clear_troubles: null })
    await confirm(page, 'Put everything back')
    await page.getByText('Everything is back where it was.').waitFor({ timeout: 60_000 })
    await finish(page)
  })

  test('a session that ends before the start, and while it runs', async () => {
    await person('ended')
    const page = await site.as('admin')
    await (await prepare(page, 'ended', 'Bob'))()
    await page.context().clearCookies()
    const dialog = await sign(page, site.password('admin'))
    await dialog.getByText('Your session has ended').waitFor()
    await looks(page, 'session-ended')
    assert.equal((await transfers()).filter(({ source }) => source === 'ended').length, 0)
    await dialog.getByRole('link', { name: 'Log in' }).click()
    await site.login(page, 'admin')
    // All that was chosen is there, and is looked at anew.
    await page.getByRole('heading', { name: 'One by one' }).waitFor()
    await site.command({ trouble: { method: 'MOVE', path: 'ended/', harm: { delay_ms: 1500 }, times: 20 } })
    await sign(page, site.password('admin'))
    await page.getByRole('progressbar').waitFor()
    await page.context().clearCookies()
    await page.getByRole('link', { name: 'Log in' }).waitFor({ timeout: 60_000 })
    await looks(page, 'session-ended-running')
    await page.getByRole('link', { name: 'Log in' }).click()
    await site.login(page, 'admin')
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    await site.command({ clear_troubles: null })
    await finish(page)
  })

  test('a plan that no longer holds is shown anew before anything begins', async () => {
    await person('stale')
    const page = await site.as('admin')
    await (await prepare(page, 'stale', 'Bob'))()
    await site.dav('stale', 'MKCOL', 'files/stale/four')
    await sign(page, site.password('admin'))
    await page.getByText('Something changed in the cloud').waitFor()
    await page.locator('.things > li', { hasText: 'four' }).waitFor()
    await looks(page, 'stale')
    assert.equal((await transfers()).filter(({ source }) => source === 'stale').length, 0)
    await sign(page, site.password('admin'))
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    await finish(page)
  })

  // What is there is asked for as soon as somebody is chosen, a folder when it is shown: each may be what fails.
  for (const late of ['inventory', 'files']) test(`a cloud in maintenance says so, and is asked again (${late})`, async () => {
    const page = await site.as('admin')
    await page.getByRole('link', { name: 'New hand-over' }).click()
    let stop
    const stopped = new Promise((resolve) => (stop = resolve))
    await page.route(({ pathname }) => pathname.endsWith(`/alice/${late}`), (route) => stopped.then(() => route.continue()))
    await choose(page, 'Alice')
    const asked = page.waitForRequest((request) => new URL(request.url()).pathname.endsWith(`/alice/${late}`))
    await step(page, 'Continue')
    if (late === 'files') await asked
    await site.command({ maintenance: true })
    stop()
    await page.getByText('The cloud is in maintenance mode').first().waitFor()
    await looks(page, `maintenance-${late}`)
    await site.command({ maintenance: false })
    await page.getByText('Try again', { exact: true }).click()
    await page.locator('.tree .item').first().waitFor()
    await finish(page)
  })
})

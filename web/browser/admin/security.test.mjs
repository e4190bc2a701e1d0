// What must do nothing: a script in a name, a request of another origin, a session without the
// password, an account that looks after nobody.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'
import { choose, demo, finish, looks, sign, skip, step } from './demo.mjs'

/** Runs, if anything here becomes markup. No slash, so that it can be a file's name. */
const BAD = '<img src=x onerror=window.ran=1><svg onload=window.ran=1>'
/** What nobody may do with a session alone. */
const ACTIONS = ['pause', 'resume', 'cancel', 'undo', 'approve', 'decline']

const site = demo([], async (site) => {
  await site.ocs('POST', 'cloud/users', { userid: 'mallory', password: 'mallory-ferry', displayName: `Mallory ${BAD}` })
  site.accounts.push({ uid: 'mallory', password: 'mallory-ferry' })
  const name = encodeURIComponent(BAD)
  await site.dav('mallory', 'MKCOL', `files/mallory/${name}`)
  await site.dav('mallory', 'PUT', `files/mallory/${name}/${name}.txt`, 'x')
  await site.dav('mallory', 'PUT', `files/mallory/${name}.txt`, 'x')
  const calendar = `<x1:mkcalendar xmlns:x1="urn:ietf:params:xml:ns:caldav" xmlns:d="DAV:"><d:set><d:prop><d:displayname>${BAD.replace(/</g, '&lt;').replace(/>/g, '&gt;')}</d:displayname></d:prop></d:set></x1:mkcalendar>`
  await site.dav('mallory', 'MKCALENDAR', 'calendars/mallory/evil/', calendar, { 'Content-Type': 'application/xml' })
  const share = { path: `/${BAD}`, shareType: '3', label: BAD, permissions: '1' }
  const answer = await fetch(`${site.upstream}/ocs/v2.php/apps/files_sharing/api/v1/shares?format=json`, {
    method: 'POST',
    headers: { 'OCS-APIRequest': 'true', Authorization: `Basic ${btoa('mallory:mallory-ferry')}` },
    body: new URLSearchParams(share),
  })
  assert.ok(answer.ok, await answer.text())
})

/** Nothing ran, nothing was refused, and nothing of it is an element. */
async function harmless(page, name) {
  const found = await page.evaluate(() => [window.ran ?? 0, document.querySelectorAll('img, svg:not([aria-hidden])').length, window.violations ?? []])
  assert.deepEqual(found, [0, 0, []], name)
}

async function watched(page) {
  await page.addInitScript(() => {
    window.violations = []
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`))
  })
}

const servers = []
after(() => servers.forEach((server) => server.close()))

/** A page of another origin. */
async function elsewhere() {
  const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>elsewhere</title>'))
  servers.push(server)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}

/** What a script of the cloud's own pages could do with the session of an admin. */
const scripted = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const html = await (await fetch('/index.php/settings/user')).text()
      const requesttoken = /data-requesttoken="([^"]+)"/.exec(html)[1]
      const answer = await fetch(`/_passeur/api/v1${path}`, { method, headers: { requesttoken, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) })
      return { status: answer.status, said: await answer.json().catch(() => null) }
    },
    [method, path, body],
  )

describe('security', { skip }, () => {
  test('a script in names of files, accounts, calendars, labels and errors is text', async () => {
    const page = await site.as('admin')
    await watched(page)
    await page.reload()
    await page.getByRole('link', { name: 'New hand-over' }).click()
    await choose(page, 'Mallory')
    await page.getByText(`Mallory ${BAD}`).first().waitFor()
    await harmless(page, 'who')
    await step(page, 'Continue')
    const folder = page.getByRole('treeitem').filter({ hasText: BAD }).first()
    await folder.waitFor()
    await folder.locator('.twist').click()
    await page.getByRole('treeitem').filter({ hasText: `${BAD}.txt` }).first().waitFor()
    await page.getByRole('searchbox').fill('<img')
    await harmless(page, 'what')
    await page.getByRole('searchbox').fill('')
    await looks(page, 'hostile')
    await step(page, 'Continue')
    await choose(page, 'Dave')
    await harmless(page, 'to')
    await step(page, 'Show what will happen')
    await page.getByRole('heading', { name: 'One by one' }).waitFor()
    await harmless(page, 'check')
    // The answer of a failure carries the name as well.
    await site.command({ trouble: { method: 'MOVE', path: BAD, harm: { status: 403 }, times: 50 } })
    await sign(page, site.password('admin'))
    await page.getByText('needs a look').or(page.getByText('need a look')).waitFor({ timeout: 60_000 })
    await harmless(page, 'receipt')
    await site.command({ clear_troubles: null })
    const id = page.url().split('/').at(-1)
    await page.getByRole('navigation').getByRole('link', { name: 'Hand-overs' }).click()
    await page.getByRole('searchbox').fill(BAD)
    await harmless(page, 'history')
    await page.getByRole('link', { name: 'Audit log' }).click()
    await page.locator('table').waitFor()
    await harmless(page, 'audit')

    // The receipt as a page of its own, opened at the host's door as a file would be.
    const answer = await fetch(`${site.admin}/api/v1/sites/demo/transfers/${id}/receipt`, { headers: { Authorization: `Bearer ${site.admin_token}`, Accept: 'text/html' } })
    const plain = await site.page()
    await watched(plain)
    await plain.setContent(await answer.text())
    await harmless(plain, 'receipt page')
    await finish(plain)
    await finish(page)
  })

  test('another origin can do nothing with the session of an admin, by form or by script', async () => {
    const page = await site.as('admin')
    const port = await elsewhere()
    // The same host with another port is the same site: cookies go along. Another host is another site.
    for (const host of ['127.0.0.1', 'localhost']) {
      const before = await site.api('GET', '/sites/demo/transfers')
      const tab = await page.context().newPage()
      const seen = []
      tab.on('response', (answer) => answer.url().includes('/_passeur/api/') && seen.push([answer.request().method(), answer.status()]))
      for (const [kind, body] of [['text/plain', '{"plan":"x","password":"y"}'], ['application/x-www-form-urlencoded', 'plan=x']]) {
        await tab.goto(`http://${host}:${port}/`)
        await tab.evaluate(
          ([url, kind, body]) => {
            const form = Object.assign(document.createElement('form'), { method: 'post', action: url, enctype: kind })
            const [name, value] = body.split(/=(.*)/s)
            form.append(Object.assign(document.createElement('input'), { name, value: value ?? '' }))
            document.body.append(form)
            form.submit()
          },
          [`${site.http}/_passeur/api/v1/sites/demo/transfers`, kind, body],
        )
        await tab.waitForURL(/_passeur/)
      }
      await tab.goto(`http://${host}:${port}/`)
      const read = await tab.evaluate(async (url) => {
        const results = []
        for (const [path, options] of [
          ['me', { credentials: 'include' }],
          ['sites/demo/transfers', { credentials: 'include', method: 'POST', mode: 'no-cors', body: '{}' }],
          ['sites/demo/transfers', { credentials: 'include', method: 'POST', headers: { 'Content-Type': 'application/json', requesttoken: 'x' }, body: '{}' }],
          ['sites/demo/accounts', { credentials: 'include', headers: { requesttoken: 'x' } }],
        ]) {
          results.push(await fetch(`${url}/_passeur/api/v1/${path}`, options).then((answer) => answer.type === 'opaque' ? 'opaque' : answer.text(), () => 'refused'))
        }
        return results
      }, site.http)
      assert.ok(read.every((one) => one === 'refused' || one === 'opaque'), JSON.stringify(read))
      assert.ok(seen.length >= 2 && seen.every(([, status]) => status >= 400), JSON.stringify(seen))
      // Nor in a frame.
      const framed = await tab.evaluate(async (url) => {
        const frame = document.createElement('iframe')
        frame.src = `${url}/_passeur/`
        document.body.append(frame)
        await new Promise((resolve) => frame.addEventListener('load', resolve))
        try { return frame.contentDocument?.body.innerText ?? 'closed' } catch { return 'closed' }
      }, site.http)
      assert.equal(framed, 'closed')
      assert.deepEqual(await site.api('GET', '/sites/demo/transfers'), before)
      await tab.close()
    }
    await page.context().close()
  })

  test('a session without the password starts nothing, and changes nothing', async () => {
    const { hash } = await site.api('POST', '/sites/demo/plans', { source: 'carol', recipient: 'dave', selection: 'all' })
    const { id } = await site.api('POST', '/sites/demo/transfers', { plan: hash })
    const page = await site.as('admin')
    await page.goto(`${site.http}/apps/files/`)
    const at = `/sites/demo/transfers/${id}`
    const state = async () => (await site.api('GET', at)).state
    for (let i = 0; i < 100 && (await state()) !== 'done'; i++) await page.waitForTimeout(200)
    assert.equal(await state(), 'done')

    const plan = await scripted(page, 'POST', '/sites/demo/plans', { source: 'dave', recipient: 'bob', selection: 'all' })
    assert.equal(plan.status, 200, 'looking is allowed')
    const refused = async (path, body) => {
      const { status, said } = await scripted(page, 'POST', path, body)
      assert.equal(status, 403, path)
      return said.type.split(':').at(-1)
    }
    assert.equal(await refused('/sites/demo/transfers', { plan: plan.said.hash }), 'password_needed')
    for (const action of ACTIONS) {
      const body = action === 'decline' ? { why: 'no' } : {}
      assert.equal(await refused(`${at}/${action}`, body), 'password_needed', action)
    }
    // Guessing ends soon, also with the right one.
    for (let i = 0; i < 5; i++) assert.equal(await refused(`${at}/undo`, { password: `guess ${i}` }), 'wrong_password')
    const last = await scripted(page, 'POST', `${at}/undo`, { password: site.password('admin') })
    assert.equal(last.status, 429)
    assert.equal(await state(), 'done')
    assert.equal((await site.api('GET', '/sites/demo/transfers')).transfers.filter(({ source }) => source === 'dave').length, 0)
    await page.context().close()
  })

  test('who looks after nobody sees neither link nor page nor API', async () => {
    const admin = await site.as('admin')
    await admin.goto(`${site.http}/apps/files/`)
    await admin.locator('[aria-controls="header-menu-user-menu"]').click()
    await admin.locator('#passeur-admin-entry').click()
    await admin.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    await admin.context().close()

    const page = await site.as('alice')
    await page.getByRole('heading', { name: 'This page is for administrators' }).waitFor()
    assert.equal(await page.locator('nav a').count(), 0)
    await page.goto(`${site.http}/apps/files/`)
    await page.locator('[aria-controls="header-menu-user-menu"]').click()
    await page.locator('#passeur-tours-entry').waitFor()
    assert.equal(await page.locator('a[href^="/_passeur/"]').count(), 0)
    const at = '/sites/demo'
    for (const [method, path] of [
      ['GET', '/me'], ['GET', `${at}/accounts`], ['GET', `${at}/accounts/bob/inventory`], ['GET', `${at}/accounts/alice/files`],
      ['POST', `${at}/plans`], ['GET', `${at}/transfers`], ['POST', `${at}/transfers`], ['GET', `${at}/audit`], ['GET', `${at}/tours`], ['GET', `${at}/tours/catalogue`],
      ['GET', '/tokens'], ['GET', '/sites'], ['GET', '/audit'],
    ]) {
      const { status, said } = await scripted(page, method, path, method === 'POST' ? {} : undefined)
      assert.equal(status, 403, path)
      assert.match(said.type, /not_admin$/, path)
    }
    await page.context().close()
  })
})

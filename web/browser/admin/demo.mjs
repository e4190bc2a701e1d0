// The demo as a program, a Chromium before it, and what tests of the admin page do again and again.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before } from 'node:test'
import { findings, launch, open } from '../browser.mjs'

// Without the program there is nothing to open.
const binary = process.env.PASSEUR_BIN
export const skip = binary ? false : 'PASSEUR_BIN names no binary'
/** A folder for pictures of every view, to be looked at. */
const shots = process.env.SHOTS

/** A demo that runs while the tests of a file do, started with these options and then made ready. */
export function demo(options = [], ready = async () => {}) {
  const it = {}
  let child
  let answers
  let folder
  before(async () => {
    if (skip) return
    folder = mkdtempSync(join(tmpdir(), 'passeur-admin-'))
    const ports = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0']
    child = spawn(binary, ['demo', '--json', '--commands', ...ports, '--data', folder, ...options], { stdio: ['pipe', 'pipe', process.env.LOUD ? 'inherit' : 'ignore'] })
    answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    Object.assign(it, JSON.parse((await answers.next()).value))
    it.browser = await launch()
    await ready(it)
  })
  after(async () => {
    await it.browser?.close()
    child?.kill('SIGKILL')
    if (folder) rmSync(folder, { recursive: true, force: true })
  })
  /** Asks the stand-in for something: accounts, a large folder, trouble. */
  it.command = async (command) => {
    child.stdin.write(`${JSON.stringify(command)}\n`)
    const said = JSON.parse((await answers.next()).value)
    assert.equal(said.error, undefined)
  }
  it.password = (uid) => it.accounts.find((account) => account.uid === uid)?.password ?? uid
  /** A page of nobody, whose errors and refused scripts are kept in `page.errors`. */
  it.page = async (options) => {
    const page = await open(it.browser, options)
    // The policy holds while tests run: what it refuses is an error of the page.
    page.on('console', (message) => /Content.Security.Policy/i.test(message.text()) && page.errors.push(message.text()))
    if (process.env.WEB_DIST) await fromDist(page, it)
    return page
  }
  it.login = async (page, uid) => {
    await page.fill('#user', uid)
    await page.fill('#password', it.password(uid))
    await Promise.all([page.waitForURL((url) => !url.pathname.startsWith('/login')), page.press('#password', 'Enter')])
  }
  /** The admin page of somebody who is logged in. */
  it.as = async (uid, options) => {
    const page = await it.page(options)
    await page.goto(`${it.http}/login`)
    await it.login(page, uid)
    await page.goto(`${it.http}/_passeur/`)
    return page
  }
  /** Asks the instance itself, as its admin. */
  it.ocs = async (method, path, body) => {
    const headers = { 'OCS-APIRequest': 'true', Authorization: `Basic ${btoa(`admin:${it.password('admin')}`)}`, 'Content-Type': 'application/json' }
    const answer = await fetch(`${it.upstream}/ocs/v2.php/${path}?format=json`, { method, headers, body: body && JSON.stringify(body) })
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`)
    return (await answer.json()).ocs.data
  }
  /** Changes files and calendars as an account does. */
  it.dav = async (uid, method, path, body, headers = {}) => {
    const answer = await fetch(`${it.upstream}/remote.php/dav/${path}`, { method, headers: { Authorization: `Basic ${btoa(`${uid}:${it.password(uid)}`)}`, ...headers }, body })
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`)
  }
  /** Asks the API at the host's door. */
  it.api = async (method, path, body) => {
    const headers = { Authorization: `Bearer ${it.admin_token}`, 'Content-Type': 'application/json' }
    const answer = await fetch(`${it.admin}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`)
    return answer.status === 204 ? undefined : answer.json()
  }
  return it
}

/** Serves the page's files as they are built now, to try a change without building the program. */
async function fromDist(page, it) {
  const dist = join(import.meta.dirname, '../../dist/admin')
  const kinds = { js: 'text/javascript', css: 'text/css', html: 'text/html; charset=utf-8' }
  await page.context().route(
    ({ origin, pathname }) => (origin === it.admin || pathname.startsWith('/_passeur/')) && !/\/(api|tours)\//.test(pathname),
    async (route) => {
      const { origin, pathname } = new URL(route.request().url())
      const base = origin === it.admin ? '/' : '/_passeur/'
      const rest = pathname.slice(base.length)
      const name = existsSync(join(dist, rest)) && rest !== '' ? rest : 'index.html'
      const served = await route.fetch({ url: origin + base })
      const body = readFileSync(join(dist, name), 'utf8').replaceAll('{{base}}', base)
      await route.fulfill({ response: served, body, headers: { ...served.headers(), 'content-type': kinds[name.split('.').at(-1)] } })
    },
  )
}

/** Keeps a picture, and fails on what axe finds serious. */
export async function looks(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })
  assert.deepEqual(await findings(page), [], name)
}

export async function choose(page, name) {
  const field = page.getByRole('combobox')
  await field.fill(name)
  await page.getByRole('option', { name: new RegExp(name, 'i') }).first().click()
}

export const step = (page, name) => page.locator('.foot .primary', { hasText: name }).click()

/** From the first page to what is handed over; what it gives goes on to the preview. */
export async function prepare(page, source, recipient) {
  await page.getByRole('link', { name: 'New hand-over' }).click()
  await choose(page, source)
  await step(page, 'Continue')
  await page.locator('.tree .item').first().waitFor()
  return async () => {
    await step(page, 'Continue')
    await choose(page, recipient)
    await step(page, 'Show what will happen')
    await page.getByRole('heading', { name: 'One by one' }).waitFor()
  }
}

/** Types the password and starts. */
export async function sign(page, secret) {
  await step(page, 'Hand over')
  const dialog = page.getByRole('dialog')
  await dialog.locator('input[type=password]').fill(secret)
  await dialog.getByRole('button', { name: 'Hand over now' }).click()
  return dialog
}

/** Closes a page that has met no error. */
export async function finish(page) {
  assert.deepEqual(page.errors, [])
  await page.context().close()
}

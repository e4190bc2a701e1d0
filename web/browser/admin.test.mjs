// The admin page in a real Chromium, in front of the demo: a hand-over as a volunteer does it, by
// mouse and by keyboard, and what those see who may not.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findings, launch, open } from './browser.mjs'

// The demo is a program: without it there is nothing to open.
const binary = process.env.PASSEUR_BIN
const skip = binary ? false : 'PASSEUR_BIN names no binary'
const shots = process.env.SHOTS

let browser
let demo
let process_
let folder

before(async () => {
  if (skip) return
  folder = mkdtempSync(join(tmpdir(), 'passeur-admin-'))
  process_ = spawn(binary, ['demo', '--json', '--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--data', folder], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  for await (const piece of process_.stdout) {
    said += piece
    if (said.includes('\n')) break
  }
  demo = JSON.parse(said)
  browser = await launch()
})
after(async () => {
  await browser?.close()
  process_?.kill('SIGKILL')
  if (folder) rmSync(folder, { recursive: true, force: true })
})

const password = (uid) => demo.accounts.find((account) => account.uid === uid).password

/** A page of somebody who is logged in. */
async function as(uid, options) {
  const page = await open(browser, options)
  // The policy holds while tests run: what it refuses is an error of the page.
  page.on('console', (message) => /Content.Security.Policy/i.test(message.text()) && page.errors.push(message.text()))
  await page.goto(`${demo.http}/login`)
  await page.fill('#user', uid)
  await page.fill('#password', password(uid))
  await Promise.all([page.waitForURL((url) => !url.pathname.startsWith('/login')), page.press('#password', 'Enter')])
  await page.goto(`${demo.http}/_passeur/`)
  return page
}

async function looks(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })
  assert.deepEqual(await findings(page), [], name)
}

async function choose(page, name) {
  const field = page.getByRole('combobox')
  await field.fill(name)
  await page.getByRole('option', { name: new RegExp(name, 'i') }).first().click()
}

const step = (page, name) => page.locator('.foot .primary', { hasText: name }).click()

/** From the first page to the preview. */
async function prepare(page, source, recipient) {
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

async function sign(page, secret) {
  await step(page, 'Hand over')
  const dialog = page.getByRole('dialog')
  await dialog.locator('input[type=password]').fill(secret)
  await dialog.getByRole('button', { name: 'Hand over now' }).click()
  return dialog
}

describe('the admin page', { skip }, () => {
  test('only administrators enter', async () => {
    const page = await as('alice')
    await page.getByRole('heading', { name: 'This page is for administrators' }).waitFor()
    await looks(page, 'forbidden')
    const refused = await page.evaluate(async () => (await fetch('/_passeur/api/v1/sites/demo/transfers', { headers: { requesttoken: 'x' } })).status)
    assert.ok(refused >= 400 && refused < 500, String(refused))
    await page.context().close()
  })

  test('one hand-over by mouse, with a wrong password, a closed tab, and all put back', async () => {
    let page = await as('admin')
    await page.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    await looks(page, 'home')
    const on = await prepare(page, 'Alice', 'Bob')
    await looks(page, 'what')
    await on()
    await looks(page, 'check')
    const dialog = await sign(page, 'wrong')
    await dialog.getByText('The password is not right').waitFor()
    await looks(page, 'wrong-password')
    await dialog.locator('input[type=password]').fill(password('admin'))
    await dialog.getByRole('button', { name: 'Hand over now' }).click()
    await page.waitForURL(/\/_passeur\/transfers\//)
    const address = page.url()

    // The tab is closed, and opened again later.
    const context = page.context()
    await page.close()
    page = await context.newPage()
    page.errors = []
    await page.goto(address)
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    await page.getByText('Everything was handed over').waitFor()
    await looks(page, 'receipt')

    await page.getByRole('button', { name: 'Put everything back' }).click()
    const confirm = page.getByRole('dialog')
    await confirm.locator('input[type=password]').fill(password('admin'))
    await confirm.getByRole('button', { name: 'Put everything back' }).click()
    await page.getByText('Everything is back where it was.').waitFor({ timeout: 60_000 })
    await looks(page, 'undone')
    assert.deepEqual(page.errors, [])
    await context.close()
  })

  test('the same by keyboard alone, in French, on a phone', async () => {
    const page = await as('admin', { locale: 'fr-FR', viewport: { width: 320, height: 700 }, colorScheme: 'dark' })
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key)
    }
    const until = async (found) => {
      for (let i = 0; i < 30; i++) {
        if (await page.evaluate(found)) return
        await page.keyboard.press('Tab')
      }
      assert.fail('the focus never came there')
    }
    await page.locator('h1').waitFor()
    await until(() => document.activeElement.matches('a.primary'))
    await press('Enter')
    await page.getByRole('combobox').waitFor()
    await page.keyboard.type('Carol')
    await page.locator('[role=option][aria-selected=true]').waitFor()
    await press('Enter')
    await until(() => document.activeElement.matches('.foot .primary'))
    await press('Enter')
    await page.locator('.foot .primary:not([disabled])').waitFor()
    await until(() => document.activeElement.matches('.foot .primary'))
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, 'nothing is cut off')
    await looks(page, 'phone-what')
    await press('Enter')
    await page.getByRole('combobox').waitFor()
    await page.keyboard.type('Dave')
    await page.locator('[role=option][aria-selected=true]').waitFor()
    await press('Enter')
    await until(() => document.activeElement.matches('.foot .primary'))
    await looks(page, 'phone-to')
    await press('Enter')
    await page.locator('.foot .primary:not([disabled]), .notice').first().waitFor()
    await looks(page, 'phone-check')
    assert.deepEqual(page.errors, [])
    await page.context().close()
  })

  test('what was chosen is there again after a new login', async () => {
    const page = await as('admin')
    await prepare(page, 'Alice', 'Bob')
    const box = page.getByRole('treeitem', { name: /Private/ })
    await box.locator('.box').click()
    assert.equal(await box.getAttribute('aria-checked'), 'false')
    await page.context().clearCookies()
    await page.reload()
    await page.getByRole('heading', { name: 'Please log in' }).waitFor()
    await looks(page, 'login')
    await page.getByRole('link', { name: 'Log in' }).click()
    await page.fill('#user', 'admin')
    await page.fill('#password', password('admin'))
    await page.press('#password', 'Enter')
    await page.waitForURL(/\/_passeur\/new/)
    await page.locator('.tree .item').first().waitFor()
    assert.equal(await page.getByRole('treeitem', { name: /Private/ }).getAttribute('aria-checked'), 'false')
    await page.context().close()
  })

  test('the host enters with a token, and not without', async () => {
    const page = await open(browser)
    await page.goto(`${demo.admin}/`)
    await page.getByLabel('Token').fill('wrong')
    await page.keyboard.press('Enter')
    await page.locator('.notice.bad').waitFor()
    await page.getByLabel('Token').fill(demo.admin_token)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'demo' }).click()
    await page.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    await page.getByRole('link', { name: 'Audit log' }).click()
    await page.locator('table, .notice').first().waitFor()
    await looks(page, 'audit')
    await page.getByRole('link', { name: 'Tokens' }).click()
    await page.getByRole('heading', { name: 'Tokens' }).waitFor()
    await looks(page, 'tokens')
    assert.deepEqual(page.errors, [])
    await page.context().close()
  })
})

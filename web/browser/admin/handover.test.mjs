// The admin page in a real Chromium, in front of the demo: a hand-over as a volunteer does it, by
// mouse and by keyboard, and what those see who may not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { demo, finish, looks, prepare, sign, skip, step } from './demo.mjs'

const site = demo()

describe('the admin page', { skip }, () => {
  test('only administrators enter', async () => {
    const page = await site.as('alice')
    await page.getByRole('heading', { name: 'This page is for administrators' }).waitFor()
    await looks(page, 'forbidden')
    const refused = await page.evaluate(async () => (await fetch('/_passeur/api/v1/sites/demo/transfers', { headers: { requesttoken: 'x' } })).status)
    assert.ok(refused >= 400 && refused < 500, String(refused))
    await page.context().close()
  })

  test('one hand-over by mouse, with a wrong password, a closed tab, and all put back', async () => {
    let page = await site.as('admin')
    await page.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    await looks(page, 'home')
    const on = await prepare(page, 'Alice', 'Bob')
    await looks(page, 'what')
    await on()
    await looks(page, 'check')
    const dialog = await sign(page, 'wrong')
    await dialog.getByText('The password is not right').waitFor()
    await looks(page, 'wrong-password')
    await dialog.locator('input[type=password]').fill(site.password('admin'))
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
    await confirm.locator('input[type=password]').fill(site.password('admin'))
    await confirm.getByRole('button', { name: 'Put everything back' }).click()
    await page.getByText('Everything is back where it was.').waitFor({ timeout: 60_000 })
    await looks(page, 'undone')
    await finish(page)
  })

  test('what was chosen is there again after a new login', async () => {
    const page = await site.as('admin')
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
    await page.fill('#password', site.password('admin'))
    await page.press('#password', 'Enter')
    await page.waitForURL(/\/_passeur\/new/)
    await page.locator('.tree .item').first().waitFor()
    assert.equal(await page.getByRole('treeitem', { name: /Private/ }).getAttribute('aria-checked'), 'false')
    await page.context().close()
  })

  test('the host enters with a token, and not without', async () => {
    const page = await site.page()
    await page.goto(`${site.admin}/`)
    await page.getByLabel('Token').fill('wrong')
    await page.keyboard.press('Enter')
    await page.locator('.notice.bad').waitFor()
    await looks(page, 'token')
    await page.getByLabel('Token').fill(site.admin_token)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'demo' }).click()
    await page.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    // No password: the token is what opens this door.
    const on = await prepare(page, 'Carol', 'Dave')
    await on()
    await step(page, 'Hand over')
    assert.equal(await page.locator('dialog input').count(), 0)
    await page.getByRole('dialog').getByRole('button', { name: 'Hand over now' }).click()
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    await finish(page)
  })
})

// A site where a second person has to approve: both of them, in two browsers.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { demo, finish, looks, prepare, skip, step } from './demo.mjs'

const site = demo(['--approval'], (site) => site.ocs('POST', 'cloud/users/carol/groups', { groupid: 'admin' }))

/** Asks for a hand-over as an admin; gives its page. */
async function ask(source, recipient, options) {
  const page = await site.as('admin', options)
  await (await prepare(page, source, recipient))()
  await step(page, 'Ask for approval')
  const dialog = page.getByRole('dialog')
  await dialog.locator('input[type=password]').fill(site.password('admin'))
  await dialog.getByRole('button', { name: 'Ask for approval' }).click()
  await page.getByText('It waits for a second administrator').waitFor()
  return page
}

async function confirm(page, name, why) {
  await page.getByRole('button', { name, exact: true }).click()
  const dialog = page.getByRole('dialog')
  if (why) await dialog.getByLabel(/Why/).fill(why)
  await dialog.locator('input[type=password]').fill(site.password('carol'))
  await dialog.getByRole('button', { name, exact: true }).click()
}

describe('approvals', { skip }, () => {
  test('the first one cannot approve, the second one looks and does', async () => {
    const first = await ask('Alice', 'Bob')
    assert.equal(await first.getByRole('button', { name: 'Approve' }).count(), 0)
    await looks(first, 'awaiting-own')

    const second = await site.as('carol')
    await second.getByRole('heading', { name: '1 hand-over waits' }).waitFor()
    await looks(second, 'home-waiting')
    await second.getByRole('link', { name: 'alice → bob' }).first().click()
    await second.getByText('It waits for you').waitFor()
    await second.getByRole('heading', { name: 'One by one' }).waitFor()
    await looks(second, 'awaiting-other')
    await confirm(second, 'Approve')
    await second.locator('#receipt').waitFor({ timeout: 60_000 })
    await second.getByText('approved by carol').waitFor()

    // Who asked sees it end without doing anything.
    await first.getByText('Everything was handed over').waitFor({ timeout: 30_000 })
    await first.getByText('approved by carol').waitFor()
    await finish(second)
    await finish(first)
  })

  test('declined with a reason, which the first one reads; nothing was moved', async () => {
    const first = await ask('Dave', 'Bob')
    const second = await site.as('carol')
    await second.getByRole('link', { name: 'dave → bob' }).first().click()
    await second.getByRole('button', { name: 'Decline' }).click()
    assert.equal(await second.getByRole('dialog').getByRole('button', { name: 'Decline' }).isDisabled(), true)
    await second.keyboard.press('Escape')
    await confirm(second, 'Decline', 'Dave comes back in May')
    await second.getByText('a second person declined it: account carol: Dave comes back in May').first().waitFor()
    await looks(second, 'declined')
    await first.getByText('Dave comes back in May').first().waitFor()
    assert.equal(await first.getByRole('button', { name: 'Put everything back' }).count(), 0)
    const { transfers } = await site.api('GET', '/sites/demo/transfers?state=cancelled')
    assert.equal(transfers[0].progress.items_done, 0)
    await finish(second)
    await finish(first)
  })
})

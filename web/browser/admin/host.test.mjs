// The host's door: sites, tokens, the audit log, tours.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { demo, finish, looks, skip } from './demo.mjs'

const site = demo()

async function enter(token = site.admin_token, options) {
  const page = await site.page(options)
  await page.goto(`${site.admin}/`)
  await page.getByLabel('Token').fill(token)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Sites' }).waitFor()
  return page
}

describe("the host's door", { skip }, () => {
  test('a token is shown once, opens what it says, and nothing once it is revoked', async () => {
    const page = await enter()
    await page.getByRole('link', { name: 'Tokens' }).click()
    await page.getByLabel('Name').fill('helpdesk <b>')
    await page.getByLabel('read the audit log').check()
    await page.getByLabel('Only for these sites').fill('demo')
    await page.getByRole('button', { name: 'Make it' }).click()
    const secret = await page.getByLabel('Secret').inputValue()
    assert.ok(secret.length > 20)
    await looks(page, 'token-made')
    await page.reload()
    await page.getByText('helpdesk <b>').first().waitFor()
    assert.equal(await page.getByLabel('Secret').count(), 0)
    assert.ok(!(await page.content()).includes(secret))

    // What it does not open is not there.
    const other = await enter(secret)
    await other.getByRole('link', { name: 'Audit log' }).waitFor()
    assert.equal(await other.getByRole('link', { name: 'Tokens' }).count(), 0)
    await other.getByRole('link', { name: 'demo' }).click()
    await other.getByRole('heading', { name: 'Hand over what someone has' }).waitFor()
    assert.equal(await other.getByRole('link', { name: 'New hand-over' }).count(), 0)
    await finish(other)

    await page.getByRole('button', { name: 'Revoke helpdesk' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('1 that no longer opens').waitFor()
    const refused = await fetch(`${site.admin}/api/v1/me`, { headers: { Authorization: `Bearer ${secret}` } })
    assert.equal(refused.status, 401)
    await looks(page, 'tokens')

    // All of it is in the log, to be searched and kept.
    await page.getByRole('link', { name: 'Audit log' }).click()
    await page.getByText('revoked a token').waitFor()
    await page.getByRole('searchbox').fill('made a token')
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1)
    await looks(page, 'audit')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save for a spreadsheet' }).click()])
    const lines = readFileSync(await download.path(), 'utf8').split('\n')
    assert.match(lines[0], /^seq,at,who/)
    assert.ok(lines.some((line) => line.includes('token.revoke')))
    await finish(page)
  })

  test('a site is added, found, and removed; what is wrong with one is said', async () => {
    const page = await enter()
    await page.getByText('Add a site').first().click()
    await page.getByLabel('Name', { exact: true }).fill('second.example')
    await page.getByLabel('Host names').fill('second.example')
    await page.getByLabel('Address of its web server').fill('nonsense://')
    await page.locator('form').getByRole('button', { name: 'Add a site' }).click()
    await page.locator('.notice.bad').waitFor()
    await looks(page, 'site-wrong')
    await page.getByLabel('Address of its web server').fill(site.upstream)
    await page.locator('form').getByRole('button', { name: 'Add a site' }).click()
    await page.getByRole('link', { name: 'second.example' }).waitFor()
    await page.getByRole('searchbox').fill('second')
    await page.waitForFunction(() => document.querySelectorAll('.things > li').length === 1)
    await looks(page, 'sites')

    // Its tours are switched there.
    await page.getByRole('link', { name: 'second.example' }).click()
    await page.getByRole('navigation', { name: 'second.example' }).getByRole('link', { name: 'Tours' }).click()
    await page.getByRole('button', { name: 'Turn tours on here' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Turn tours on here' }).click()
    await page.getByRole('row', { name: /Welcome/ }).first().waitFor()
    await page.getByRole('button', { name: 'Turn tours off here' }).waitFor()

    await page.getByRole('link', { name: 'Sites' }).click()
    await page.getByRole('button', { name: 'Remove second.example' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await page.waitForFunction(() => !document.body.textContent.includes('second.example'))
    await finish(page)
  })

  test('tours: what there is, and what pages did not have', async () => {
    const page = await enter()
    await page.getByRole('link', { name: 'demo' }).click()
    await page.getByRole('navigation', { name: 'demo' }).getByRole('link', { name: 'Tours' }).click()
    await page.getByRole('row', { name: /Welcome/ }).first().waitFor()
    await page.getByText('This site is set in a file').waitFor()
    await looks(page, 'tours')
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Tours' }).click()
    await page.getByText('Everything was found').waitFor()
    await looks(page, 'missing')
    await finish(page)
  })
})

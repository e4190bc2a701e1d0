// A cloud of 2,000 accounts, and a folder of 20,000 files: nothing is asked for that is not looked at,
// and scrolling stays smooth.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { choose, demo, finish, looks, skip, step } from './demo.mjs'

const FILES = 20_000
const site = demo([], async (site) => {
  await site.command({ add_accounts: 2000 })
  await site.command({ fill_folder: { account: 'user00007', folder: 'Archive', files: FILES, size: 100 } })
})

/** Counts requests of the API whose address holds something, from now on. */
function counting(page, part) {
  const seen = []
  page.on('request', (request) => request.url().includes('/api/v1/') && request.url().includes(part) && seen.push(request.url()))
  return seen
}

/** Scrolls an element to a place, and measures the gaps between frames on the way. */
const scroll = (page, selector, to, steps = 60) =>
  page.evaluate(
    async ([selector, to, steps]) => {
      const element = document.querySelector(selector)
      const from = element.scrollTop
      const gaps = []
      let last = performance.now()
      for (let i = 1; i <= steps; i++) {
        element.scrollTop = from + ((to < 0 ? element.scrollHeight : to) - from) * (i / steps)
        await new Promise(requestAnimationFrame)
        const now = performance.now()
        gaps.push(now - last)
        last = now
      }
      return gaps.sort((a, b) => a - b)
    },
    [selector, to, steps],
  )

describe('large clouds', { skip }, () => {
  test('one of 2,000 accounts is found by typing, and by scrolling', async () => {
    const page = await site.as('admin')
    const seen = counting(page, '/accounts')
    await page.getByRole('link', { name: 'New hand-over' }).click()
    const options = page.getByRole('option')
    await options.first().waitFor()
    assert.equal(await options.count(), 50)
    assert.equal(seen.length, 1)
    await looks(page, 'accounts')

    // Typed as people type, one name is one question or two, and not one for each letter.
    await page.getByRole('combobox').pressSequentially('user 1999', { delay: 40 })
    await options.filter({ hasText: 'user01999' }).waitFor()
    await page.waitForFunction(() => document.querySelectorAll('[role=option]').length === 1)
    assert.ok(seen.length <= 3, seen.join('\n'))

    await page.getByRole('combobox').fill('')
    await page.waitForFunction(() => document.querySelectorAll('[role=option]').length === 50)
    seen.length = 0
    for (let i = 0; i < 8; i++) {
      const before = await options.count()
      const gaps = await scroll(page, '[role=listbox]', -1, 20)
      assert.ok(gaps[Math.floor(gaps.length / 2)] < 50, `half of all frames within 50 ms: ${gaps}`)
      await page.waitForFunction((before) => document.querySelectorAll('[role=option]').length > before, before)
    }
    // Nothing more is asked for once nobody scrolls; what was, was shown, and none of it twice.
    let before = -1
    while (before !== seen.length) {
      before = seen.length
      await page.waitForTimeout(700)
    }
    assert.ok(seen.length < 30, seen.join('\n'))
    assert.equal(new Set(seen).size, seen.length, seen.join('\n'))
    assert.equal(await options.count(), 50 * (seen.length + 1))
    assert.equal(new Set(await options.evaluateAll((all) => all.map((one) => one.id))).size, await options.count())
    await finish(page)
  })

  test('20,000 files in one folder: scrolled through, searched, left out by keyboard', async () => {
    const page = await site.as('admin')
    await page.getByRole('link', { name: 'New hand-over' }).click()
    await choose(page, 'user00007')
    await step(page, 'Continue')
    const seen = counting(page, '/files')
    await page.getByRole('treeitem', { name: /Archive/ }).locator('.twist').click()
    await page.getByRole('treeitem', { name: 'file-00000.txt' }).waitFor()
    const rows = () => page.locator('.tree .item').count()
    assert.ok((await rows()) < 60, 'rows out of view are not in the page')

    // Through all of it in one go.
    const gaps = await scroll(page, '.tree', -1, 200)
    assert.ok(gaps[Math.floor(gaps.length * 0.5)] < 50 && gaps.at(-1) < 500, `frames of ${gaps[100]} ms, the longest ${gaps.at(-1)} ms`)
    await page.getByRole('treeitem', { name: 'file-19999.txt' }).waitFor()
    assert.ok(seen.length <= 8, `asked ${seen.length} times: ${seen.join('\n')}`)
    assert.ok((await rows()) < 60)
    await looks(page, 'many-files')

    // The last one is left out; boxes above show it.
    const last = page.getByRole('treeitem', { name: 'file-19999.txt' })
    await last.click()
    assert.equal(await last.getAttribute('aria-checked'), 'false')
    await page.keyboard.press('Home')
    const folder = page.getByRole('treeitem', { name: /Archive/ })
    await folder.waitFor()
    assert.equal(await folder.getAttribute('aria-checked'), 'mixed')
    await page.keyboard.press('End')
    await last.waitFor()
    assert.equal(await page.evaluate(() => document.activeElement.textContent.includes('file-19999')), true)

    // Searched where they are, not only in what was looked at.
    seen.length = 0
    await page.getByRole('searchbox').pressSequentially('12345', { delay: 40 })
    await page.getByRole('treeitem', { name: 'file-12345.txt' }).waitFor()
    assert.equal(await page.getByRole('treeitem').count(), 2)
    assert.ok(seen.length <= 2, seen.join('\n'))
    await page.getByRole('searchbox').fill('nowhere')
    await page.getByText('Nothing with this name').waitFor()
    await page.getByRole('searchbox').fill('')

    await step(page, 'Continue')
    await choose(page, 'user00008')
    await step(page, 'Show what will happen')
    await page.getByRole('heading', { name: 'One by one' }).waitFor({ timeout: 60_000 })
    await page.getByText(/19,999 files/).first().waitFor()
    await finish(page)
  })
})

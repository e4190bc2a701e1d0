// Every step in every look: nothing is cut off, and axe finds nothing serious. SHOTS keeps a picture of
// each, to be looked at.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { choose, demo, finish, looks, skip } from './demo.mjs'

const LOOKS = {
  light: {},
  dark: { colorScheme: 'dark' },
  french: { locale: 'fr-FR' },
  phone: { locale: 'fr-FR', viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  // What 200 % make of a window of 1280 by 800.
  zoom: { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  forced: { forcedColors: 'active' },
  contrast: { contrast: 'more' },
  moving: { reducedMotion: 'no-preference' },
  rtl: {},
}

const site = demo()

describe('looks', { skip }, () => {
  for (const [name, options] of Object.entries(LOOKS)) {
    test(name, async () => {
      const page = await site.as('admin', options)
      const see = async (view) => {
        if (name === 'rtl') await page.evaluate(() => (document.documentElement.dir = 'rtl'))
        await looks(page, `${name}-${view}`)
        const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
        assert.ok(wide <= inner, `${view}: ${wide} of ${inner} pixels`)
      }
      const go = () => page.locator('.foot .primary:not([disabled])').click()
      await page.locator('a.primary').waitFor()
      await see('1-home')
      await page.locator('a.primary').click()
      await page.getByRole('option').first().waitFor()
      await see('2-who')
      await choose(page, 'Alice')
      await go()
      await page.locator('.tree .item').first().waitFor()
      await page.locator('.tree .twist').first().click()
      await page.locator('.tree .item .box').nth(1).click()
      await see('3-what')
      await go()
      await choose(page, 'Bob')
      await page.locator('.check input[type=checkbox]').check()
      await page.locator('details > summary').click()
      await see('4-to')
      await go()
      await page.locator('.things').first().waitFor({ timeout: 20_000 })
      await see('5-check')
      await go()
      await page.getByRole('dialog').waitFor()
      await see('6-sign')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      // The focus is where it came from.
      assert.equal(await page.evaluate(() => document.activeElement.matches('.foot .primary')), true)
      await page.goto(`${site.http}/_passeur/audit`)
      await page.locator('h1').waitFor()
      await see('7-audit')
      await page.goto(`${site.http}/_passeur/tours`)
      await page.locator('table').waitFor()
      await see('8-tours')
      await finish(page)
    })
  }

  test('the whole of it by keyboard alone, from the login to what was put back', async () => {
    const page = await site.as('admin', { locale: 'fr-FR', viewport: { width: 320, height: 640 } })
    page.setDefaultTimeout(15_000)
    const press = (key) => page.keyboard.press(key)
    /** Tab, until the focus is there. */
    const until = async (selector) => {
      await page.locator(selector).first().waitFor()
      for (let i = 0; i < 40; i++) {
        if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return
        await press('Tab')
      }
      assert.fail(`the focus never came to ${selector}`)
    }
    const person = async (name) => {
      await page.getByRole('combobox').waitFor()
      await page.keyboard.type(name)
      await page.locator('[role=option][aria-selected=true]').waitFor()
      await press('Enter')
    }
    await until('a.primary')
    await press('Enter')
    await person('Dave')
    await until('.foot .primary:not([disabled])')
    await press('Enter')
    // One file is left out, and taken again.
    await until('.tree .item')
    await press('Space')
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-checked')), 'false')
    await press('Space')
    await until('.foot .primary:not([disabled])')
    await press('Enter')
    await person('Carol')
    await until('.foot .primary:not([disabled])')
    await press('Enter')
    await until('.foot .primary:not([disabled])')
    await press('Enter')
    await until('dialog input[type=password]')
    await page.keyboard.type(site.password('admin'))
    await press('Enter')
    await page.locator('#receipt').waitFor({ timeout: 60_000 })
    await looks(page, 'phone-receipt')
    await until('.button.danger')
    await press('Enter')
    await until('dialog input[type=password]')
    await page.keyboard.type(site.password('admin'))
    await press('Enter')
    await page.getByText('Tout est de retour').or(page.locator('.notice.good')).first().waitFor({ timeout: 60_000 })
    const { transfers } = await site.api('GET', '/sites/demo/transfers')
    for (let i = 0; i < 100 && (await site.api('GET', `/sites/demo/transfers/${transfers[0].id}`)).state !== 'undone'; i++) await page.waitForTimeout(200)
    assert.equal((await site.api('GET', `/sites/demo/transfers/${transfers[0].id}`)).state, 'undone')
    await finish(page)
  })
})

// A Chromium that was installed by others (CHROMIUM says where), one context per test.
import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] })

/** A page with waits that are short where all is well, whose errors fail the test through `page.errors`. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.errors = []
  page.on('pageerror', (error) => page.errors.push(error.message))
  return page
}

/** Inside the player's shadow root; Playwright's CSS goes through open roots. */
export const ui = (page) => ({
  bubble: page.locator('#passeur-tours .bubble'),
  title: page.locator('#passeur-tours .bubble h2'),
  offer: page.locator('#passeur-tours .corner'),
  help: page.locator('#passeur-tours .help'),
  helpButton: page.locator('#passeur-help button'),
  note: page.locator('#passeur-tours .note'),
  ring: page.locator('#passeur-tours .ring').first(),
  button: (name) => page.locator('#passeur-tours').getByRole('button', { name, exact: true }),
})

/** Serious and critical findings of axe with what it says about them; run over the DevTools protocol, past the page's policy. */
export async function findings(page, within) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(
    (within) => window.axe.run(within ? { include: within } : document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
    within,
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} (${failureSummary.split('\n').slice(1, 3).join(' ').trim()})`).join('; ')}`)
}

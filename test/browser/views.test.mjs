// Every page as people see it: on a screen, on a phone and on the narrowest that
// WCAG 2.2 asks for (1.4.10), in light and dark.
// SCREENSHOTS names a folder that keeps the pictures.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { barriers, focusShown } from './accessibility.mjs'
import { secondApplication, site } from './example.mjs'
import { setUp } from './fixture.mjs'

let folder
const fixture = setUp(async () => {
  folder = process.env.SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), 'oidc-token-screenshots-')))
  await mkdir(folder, { recursive: true })
  console.log(`the pictures are in ${folder}`)
})

const openAll = (page) => page.locator('details').evaluateAll((all) => all.forEach((one) => { one.open = true }))

/** What touches the edge of the page, or has not the room it needs. Runs in the page. */
function squeezed() {
  const top = (e) => e.getBoundingClientRect().top + scrollY
  const lines = (e) => Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight))
  const all = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility())
  return [
    ...all('header > *').filter((e) => top(e) < 12).map((e) => `${e.textContent.trim()} touches the edge`),
    ...all('#groups').filter((e) => top(e.lastElementChild) > top(e.firstElementChild)).map(() => 'the groups are one below the other'),
    ...all('#email, header strong').filter((e) => !e.textContent.includes(' ') && lines(e) > 1).map((e) => `${e.textContent} is broken`),
  ]
}

/** How to get to each view. */
const views = {
  'signed-out': (visitor) => visitor.open(),
  'signed-in': (visitor) => visitor.signIn(),
  tokens: async (visitor) => {
    await visitor.signIn()
    await openAll(visitor.page)
  },
  refused: async (visitor) => {
    await visitor.open()
    await visitor.clickThrough('Only if I am signed in already')
  },
  'signed-out-again': async (visitor) => {
    await visitor.signIn()
    await visitor.button('Sign out').click()
  },
  'asked-again': async (visitor) => {
    await visitor.signIn()
    await visitor.button('Ask again in the background').click()
    await visitor.page.getByText('You are still signed in').waitFor()
  },
  'redeemed-again': async (visitor) => {
    await visitor.signIn()
    await visitor.button('Redeem the last code again').click()
    await visitor.page.getByText('Refused with invalid_grant').waitFor()
  },
  unreachable: async (visitor) => {
    await visitor.signIn()
    await visitor.page.route('**/.well-known/openid-configuration', (route) => route.abort())
    await visitor.button('Ask again by redirect').click()
    await visitor.page.getByRole('alert').waitFor()
  },
  'wrong-password': async (visitor) => {
    await visitor.open()
    await Promise.all([visitor.page.waitForURL(/\/authorize\?/), visitor.button('Sign in').click()])
  },
  'error-page': (visitor) => visitor.page.goto(`${site}/authorize?client_id=spa&redirect_uri=https://attacker.example/`),
  'second-signed-out': (visitor) => visitor.page.goto(secondApplication),
  'second-signed-in': (visitor) => visitor.page.goto(`${secondApplication}/login`),
  'second-refused': (visitor) => visitor.page.goto(`${secondApplication}/callback?error=access_denied`),
  'second-of-another': async ({ page }) => {
    const asked = await page.request.get(`${secondApplication}/login`, { maxRedirects: 0 })
    const state = new URL(asked.headers().location).searchParams.get('state')
    const answer = new URLSearchParams({ code: 'c', state, iss: `https://${'another'.repeat(8)}.example` })
    await page.goto(`${secondApplication}/callback?${answer}`)
    await page.getByText('The answer is of another provider').waitFor()
  },
  'second-missing': (visitor) => visitor.page.goto(`${secondApplication}/elsewhere`),
}

const ways = [1280, 390, 320].flatMap((width) => ['light', 'dark'].map((colorScheme) => ({ width, colorScheme })))

/** What is wrong with a page, and in which way of seeing it. */
async function faults(page, name) {
  const found = []
  for (const { width, colorScheme } of ways) {
    await page.setViewportSize({ width, height: 844 })
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true })
    for (const check of [barriers, squeezed]) {
      found.push(...(await page.evaluate(check)).map((fault) => `${width} pixels, ${colorScheme}: ${JSON.stringify(fault)}`))
    }
  }
  return found
}

for (const [name, open] of Object.entries(views)) {
  test(`${name} has no barriers, however wide, light or dark`, async () => {
    const who = name === 'wrong-password' ? fixture.mallory : fixture.alice
    const visitor = await who({ reducedMotion: 'reduce' })
    await open(visitor)
    assert.deepEqual(await faults(visitor.page, name), [])
    await visitor.context.close()
  })
}

test('everything can be reached and used with the keyboard alone', async () => {
  const visitor = await fixture.alice()
  await visitor.open()
  const { page } = visitor
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'sign-in')
  assert.ok(await page.evaluate(focusShown))
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Alice Liddell' }).waitFor()
  await visitor.settled()
  const reached = []
  for (let n = 0; n < 14; n++) {
    await page.keyboard.press('Tab')
    reached.push(await page.evaluate(() => document.activeElement.textContent.trim().split(/ {2,}|\n/)[0]))
    assert.ok(await page.evaluate(focusShown), `the focus on ${reached.at(-1)} is not shown`)
    if (reached.at(-1) === 'Public keys') break
  }
  for (const name of ['As it was sent', 'Sign in to the second application', 'Ask again in the background', 'Redeem the last code again', 'Discovery document', 'Public keys']) {
    assert.ok(reached.includes(name), `${name} is not among ${reached.join(' | ')}`)
  }
})

test('motion is for those who have nothing against it', async () => {
  const motion = async (reducedMotion) => {
    const visitor = await fixture.alice({ reducedMotion })
    await visitor.open()
    return visitor.page.locator('#sign-in').evaluate((e) => [getComputedStyle(e).transitionDuration, getComputedStyle(document.documentElement).scrollBehavior])
  }
  assert.deepEqual(await motion('no-preference'), ['0.12s, 0.12s', 'smooth'])
  assert.deepEqual(await motion('reduce'), ['0s', 'auto'])
})

test('without JavaScript the page says what it needs', async () => {
  const visitor = await fixture.nobody({ javaScriptEnabled: false })
  await visitor.page.goto(site)
  assert.match(await visitor.page.locator('main').innerText(), /with JavaScript of its own, and yours is off/)
})

// Every page as people see it: on a screen and on a phone, in light and dark.
// SCREENSHOTS names a folder that keeps the pictures.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
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
  'wrong-password': async (visitor) => {
    await visitor.open()
    await Promise.all([visitor.page.waitForURL(/\/authorize\?/), visitor.button('Sign in').click()])
  },
  'error-page': (visitor) => visitor.page.goto(`${site}/authorize?client_id=spa&redirect_uri=https://attacker.example/`),
  'second-signed-out': (visitor) => visitor.page.goto(secondApplication),
  'second-signed-in': (visitor) => visitor.page.goto(`${secondApplication}/login`),
  'second-refused': (visitor) => visitor.page.goto(`${secondApplication}/callback?error=access_denied`),
}

for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark']) {
    describe(`${width} pixels, ${colorScheme}`, () => {
      for (const [name, open] of Object.entries(views)) {
        test(`${name} has no barriers`, async () => {
          const who = name === 'wrong-password' ? fixture.mallory : fixture.alice
          const visitor = await who({ viewport: { width, height: 844 }, colorScheme, reducedMotion: 'reduce' })
          await open(visitor)
          await visitor.page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true })
          assert.deepEqual(await visitor.page.evaluate(barriers), [])
          await visitor.context.close()
        })
      }
    })
  }
}

test('nothing is cut off on a screen of 320 pixels', async () => {
  const visitor = await fixture.alice({ viewport: { width: 320, height: 640 } })
  await views.tokens(visitor)
  assert.deepEqual(await visitor.page.evaluate(barriers), [])
})

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
  const duration = async (reducedMotion) => {
    const visitor = await fixture.alice({ reducedMotion })
    await visitor.open()
    return visitor.page.locator('#sign-in').evaluate((e) => getComputedStyle(e).transitionDuration)
  }
  assert.match(await duration('no-preference'), /0\.12s/)
  assert.equal(await duration('reduce'), '0s')
})

test('without JavaScript the page says what it needs', async () => {
  const visitor = await fixture.nobody({ javaScriptEnabled: false })
  await visitor.page.goto(site)
  assert.match(await visitor.page.locator('main').innerText(), /with JavaScript of its own, and yours is off/)
})

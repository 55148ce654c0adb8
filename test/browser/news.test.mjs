// What comes of a press is told beside the button, where the focus stays.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { site } from './example.mjs'
import { setUp } from './fixture.mjs'

const fixture = setUp()

const again = ['Ask again in the background', 'You are still signed in']
const redeemed = ['Redeem the last code again', 'Refused with invalid_grant']

/** Signs in and puts a button at the lower edge of the window, where the least is to be seen below it. */
async function signedIn(name, viewport = { width: 390, height: 844 }) {
  const visitor = await fixture.alice({ viewport, reducedMotion: 'reduce' })
  await visitor.signIn()
  const button = visitor.button(name)
  await button.evaluate((e) => e.scrollIntoView({ block: 'end' }))
  return { visitor, page: visitor.page, button }
}

/** All that is told, of whichever role. */
const news = (page) => page.locator('[role=status], [role=alert]').evaluateAll((all) => all.map((e) => e.innerText).filter(Boolean))

const inside = (e) => {
  const { top, bottom } = e.getBoundingClientRect()
  return top >= 0 && bottom <= innerHeight
}

const focused = (button) => button.evaluate((e) => e === document.activeElement)

for (const [width, height] of [[390, 844], [1280, 900], [320, 640], [844, 390]]) {
  describe(`on ${width} by ${height} pixels`, () => {
    for (const [name, words] of [again, redeemed]) {
      test(`${name}: the result is seen, and the focus stays`, async () => {
        const { visitor, page, button } = await signedIn(name, { width, height })
        // A screen reader tells the news of a region that was there before.
        await page.locator('[role=status]').evaluateAll((all) => all.forEach((e) => { e.dataset.before = '' }))
        await button.click()
        const told = page.locator('[role=status][data-before]', { hasText: words })
        await told.waitFor()
        await visitor.settled()
        assert.ok(await told.evaluate(inside), 'the result is out of sight')
        assert.ok(await button.evaluate(inside), 'the button is out of sight')
        assert.ok(await focused(button), 'the focus is lost')
        assert.equal((await news(page)).length, 1)
        await visitor.context.close()
      })
    }

    test('a failure is seen, and the focus stays', async () => {
      const { page, button, visitor } = await signedIn('Ask again by redirect', { width, height })
      await page.route('**/.well-known/openid-configuration', (route) => route.abort())
      await button.click()
      const told = page.getByRole('alert')
      await told.waitFor()
      await visitor.settled()
      assert.ok(await told.evaluate(inside), 'the failure is out of sight')
      assert.ok(await button.evaluate(inside), 'the button is out of sight')
      assert.ok(await focused(button), 'the focus is lost')
      await visitor.context.close()
    })
  })
}

test('while something is under way presses do nothing, and the focus stays', async () => {
  const { visitor, page, button } = await signedIn(redeemed[0])
  const requests = []
  const asked = new Promise((resolve) => {
    page.route(`${site}/token`, (route) => resolve(requests.push(route)))
  })
  await button.click()
  await asked
  assert.equal(await button.getAttribute('aria-disabled'), 'true')
  assert.ok(await focused(button), 'the focus is lost')
  await page.keyboard.press('Enter')
  await visitor.button('Sign out').dispatchEvent('click')
  assert.equal(await visitor.heading(), 'Alice Liddell')
  await requests[0].continue()
  await page.getByText(redeemed[1]).waitFor()
  await visitor.settled()
  assert.equal(requests.length, 1)
  assert.equal(await button.getAttribute('aria-disabled'), 'false')
  assert.ok(await focused(button), 'the focus is lost')
})

test('news takes the place of older news, and the same words are told anew', async () => {
  const { visitor, page, button } = await signedIn(again[0])
  await page.route('**/.well-known/openid-configuration', (route) => route.abort(), { times: 1 })
  await button.click()
  await page.getByRole('alert').waitFor()
  for (const [name, words] of [again, redeemed, redeemed]) {
    const gone = page.waitForFunction(() => [...document.querySelectorAll('[role=status], [role=alert]')].every((e) => !e.innerText))
    const hold = new Promise((resolve) => { page.route(`${site}/token`, resolve, { times: 1 }) })
    await visitor.button(name).click()
    const route = await hold
    await gone
    await route.continue()
    await page.getByText(words).waitFor()
    await visitor.settled()
    assert.equal((await news(page)).length, 1)
  }
})

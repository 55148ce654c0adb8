// From the start page to tokens, and back out.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { site } from './example.mjs'
import { setUp } from './fixture.mjs'

const fixture = setUp()

test('a wrong password is answered with a page that says so, and no code is issued', async () => {
  const visitor = await fixture.mallory()
  await visitor.open()
  const issued = fixture.example.logged('code_issued')
  await Promise.all([visitor.page.waitForURL(/\/authorize\?/), visitor.button('Sign in').click()])
  assert.equal(visitor.responses.findLast((r) => r.url().includes('/authorize?')).status(), 401)
  assert.equal(await visitor.heading(), 'You are not signed in')
  assert.equal(fixture.example.logged('code_issued'), issued)

  await visitor.page.getByRole('link', { name: 'Back to the start' }).click()
  await visitor.settled()
  assert.ok(await visitor.button('Sign in').isVisible())
  assert.equal(visitor.responses.some((r) => r.url() === `${site}/token`), false)
  visitor.wantNoComplaints(/status of 401/)
})

test('the right password leads to a person, checked tokens and UserInfo', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const { page } = visitor
  assert.equal(page.url(), `${site}/`, 'the code is in the address')
  assert.equal(await page.locator('#email').innerText(), 'alice@example.com')
  assert.deepEqual(await page.locator('#groups li').allInnerTexts(), ['staff', 'wonderland'])
  assert.deepEqual(await page.locator('#checks dt').allInnerTexts(), ['Signature', 'Issuer', 'Audience', 'Nonce', 'Access token', 'Time'])
  assert.match(await page.locator('#checks dd').first().innerText(), /^RS256/)

  const idToken = await visitor.claims('#id-token dl >> nth=1')
  assert.deepEqual(
    { iss: idToken.iss, sub: idToken.sub, aud: idToken.aud, name: idToken.name, email: idToken.email, groups: idToken.groups },
    { iss: site, sub: 'alice', aud: 'spa', name: 'Alice Liddell', email: 'alice@example.com', groups: 'staff, wonderland' },
  )
  assert.match(await page.locator('#id-token').innerText(), /Expires in (60 minutes|1 hour), at \d\d:\d\d:\d\d/)
  assert.equal((await visitor.claims('#access-token dl >> nth=0')).typ, 'at+jwt')
  assert.deepEqual(await visitor.claims('#userinfo dl'), { sub: 'alice', email: 'alice@example.com', groups: 'staff, wonderland', name: 'Alice Liddell' })
  visitor.wantNoComplaints()
})

test('the focus goes to the name of who has signed in, and the news is announced', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), 'name')
  assert.equal(await visitor.status(), 'You are signed in.')
})

test('no token is kept in any storage, and no code in the history', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const kept = await visitor.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))
  assert.equal(kept, '[{},{},""]')
  await visitor.page.goBack()
  assert.doesNotMatch(visitor.page.url(), /callback/)
})

test('a reload signs in again without a question, with tokens of its own', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const [first, prompts] = [await visitor.claims('#access-token dl >> nth=1'), visitor.prompts()]
  await visitor.page.reload()
  await visitor.settled()
  assert.equal(await visitor.heading(), 'Alice Liddell')
  assert.notEqual((await visitor.claims('#access-token dl >> nth=1')).jti, first.jti)
  assert.equal(visitor.prompts(), prompts)
  visitor.wantNoComplaints()
})

test('the password that a browser sends along goes to no endpoint but the one that asked', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  await visitor.page.reload()
  await visitor.settled()
  for (const path of ['/token', '/userinfo', '/.well-known/jwks.json', '/.well-known/openid-configuration']) {
    const responses = visitor.responses.filter((r) => new URL(r.url()).pathname === path)
    assert.ok(responses.length >= 2, `${path} was not used`)
    for (const response of responses) {
      assert.doesNotMatch((await response.request().allHeaders()).authorization ?? '', /^Basic/, path)
    }
  }
})

test('signing out forgets the person, also for a reload, until they sign in again', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  await visitor.button('Sign out').click()
  assert.ok(await visitor.button('Sign in').isVisible())
  assert.equal(await visitor.button('Sign out').isVisible(), false)
  assert.equal(await visitor.page.evaluate(() => document.activeElement.id), 'invitation')
  assert.doesNotMatch(await visitor.page.content(), /alice@example\.com|Liddell|eyJ/)

  await visitor.page.reload()
  await visitor.settled()
  assert.ok(await visitor.button('Sign in').isVisible())
  await visitor.clickThrough('Sign in')
  assert.equal(await visitor.heading(), 'Alice Liddell')
  visitor.wantNoComplaints()
})

test('A01 a code that is redeemed again is refused, and the page says so', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const replayed = fixture.example.logged('code_replayed')
  await visitor.button('Redeem the last code again').click()
  await visitor.page.getByText('Refused with invalid_grant').waitFor()
  assert.equal(fixture.example.logged('code_replayed'), replayed + 1)
  visitor.wantNoComplaints(/status of 400/)
})

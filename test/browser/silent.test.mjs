// prompt=none: tokens for who is signed in already, and for nobody else.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { site } from './example.mjs'
import { setUp } from './fixture.mjs'

const fixture = setUp()

test('by fetch, nobody signed in: the page learns it without a prompt', async () => {
  const visitor = await fixture.alice()
  await visitor.open()
  assert.ok(await visitor.button('Sign in').isVisible())
  assert.equal(await visitor.alert(), '', 'nobody being signed in is no failure')
  assert.equal(visitor.prompts(), 0)
  assert.ok(visitor.responses.some((r) => r.url().startsWith(`${site}/callback?error=login_required`)))
  visitor.wantNoComplaints()
})

test('by fetch, signed in: new tokens without leaving the page', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const [first, prompts] = [await visitor.claims('#id-token dl >> nth=1'), visitor.prompts()]
  await visitor.page.evaluate(() => { window.stayed = true })
  await visitor.button('Ask again in the background').click()
  await visitor.page.getByText('You are still signed in').waitFor()
  assert.ok(await visitor.page.evaluate(() => window.stayed))
  const second = await visitor.claims('#id-token dl >> nth=1')
  assert.equal(second.sub, first.sub)
  assert.notEqual(second.nonce, first.nonce)
  assert.equal(visitor.prompts(), prompts)
  visitor.wantNoComplaints()
})

test('by redirect, nobody signed in: login_required comes back, in words', async () => {
  const visitor = await fixture.alice()
  await visitor.open()
  await visitor.clickThrough('Only if I am signed in already')
  assert.match(await visitor.alert(), /^Nobody is signed in here yet\.\s+login_required/)
  assert.ok(await visitor.button('Sign in').isVisible())
  assert.equal(visitor.prompts(), 0)
  visitor.wantNoComplaints()
})

test('by redirect, signed in: back with new tokens', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const [first, prompts] = [await visitor.claims('#id-token dl >> nth=1'), visitor.prompts()]
  await visitor.clickThrough('Ask again by redirect')
  assert.equal(await visitor.heading(), 'Alice Liddell')
  assert.notEqual((await visitor.claims('#id-token dl >> nth=1')).nonce, first.nonce)
  assert.equal(visitor.prompts(), prompts)
  visitor.wantNoComplaints()
})

// The confidential client: a server that a person meets with the same sign-in.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secondApplication, site } from './example.mjs'
import { setUp } from './fixture.mjs'

const fixture = setUp()

test('who is signed in to the first application needs no second password', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const prompts = visitor.prompts()
  await visitor.page.getByRole('link', { name: 'Sign in to the second application' }).click()
  await visitor.page.waitForURL(`${secondApplication}/`)
  assert.equal(await visitor.heading(), 'Hello, Alice Liddell')
  const claims = await visitor.claims('dl')
  assert.deepEqual(
    { iss: claims.iss, sub: claims.sub, aud: claims.aud, email: claims.email, groups: claims.groups },
    { iss: site, sub: 'alice', aud: 'web', email: 'alice@example.com', groups: 'staff, wonderland' },
  )
  assert.equal(visitor.prompts(), prompts)
  visitor.wantNoComplaints()
})

test('who is not signed in is asked there as well, and stays signed in', async () => {
  const visitor = await fixture.alice()
  await visitor.page.goto(secondApplication)
  await visitor.page.getByRole('link', { name: 'Sign in', exact: true }).click()
  await visitor.page.waitForURL(`${secondApplication}/`)
  await visitor.page.reload()
  assert.equal(await visitor.heading(), 'Hello, Alice Liddell')
  await visitor.button('Sign out').click()
  await visitor.page.getByRole('heading', { name: 'An application like any other' }).waitFor()
  visitor.wantNoComplaints()
})

test('H12 L10 with response_mode=form_post a page submits itself, and the code is in no URL', async () => {
  const visitor = await fixture.alice()
  await visitor.page.goto(secondApplication)
  await visitor.page.getByRole('link', { name: 'in a form' }).click()
  await visitor.page.waitForURL(`${secondApplication}/`)
  assert.equal(await visitor.heading(), 'Hello, Alice Liddell')
  const posted = visitor.responses.filter((r) => r.url() === `${secondApplication}/callback`)
  assert.deepEqual(posted.map((r) => [r.request().method(), r.status()]), [['POST', 303]])
  assert.equal(visitor.responses.some((r) => /[?&]code=/.test(r.url())), false)
  const form = visitor.responses.find((r) => r.url().startsWith(`${site}/authorize?`) && r.status() === 200)
  assert.match(form.headers()['cache-control'], /no-store/)
  visitor.wantNoComplaints()
})

test('without scripts the form has a button', async () => {
  const visitor = await fixture.alice({ javaScriptEnabled: false })
  await visitor.page.goto(`${secondApplication}/login?response_mode=form_post`)
  await visitor.button('Continue').click()
  await visitor.page.waitForURL(`${secondApplication}/`)
  assert.equal(await visitor.heading(), 'Hello, Alice Liddell')
})

test('an answer that this browser did not ask for signs nobody in', async () => {
  const visitor = await fixture.alice()
  await visitor.page.goto(`${secondApplication}/callback?code=somebody-elses&state=x&iss=${encodeURIComponent(site)}`)
  assert.equal(await visitor.heading(), 'That did not work')
  await visitor.page.goto(secondApplication)
  assert.equal(await visitor.heading(), 'An application like any other')
  visitor.wantNoComplaints(/status of 400/)
})

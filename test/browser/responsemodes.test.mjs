// Where the code comes back; form_post is the second application's.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { site } from './example.mjs'
import { setUp } from './fixture.mjs'

const fixture = setUp()

test('response_mode=fragment keeps the code from the server, and the page finds it there', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  const first = await visitor.claims('#id-token dl >> nth=1')
  const landings = []
  visitor.page.on('framenavigated', (frame) => landings.push(frame.url()))
  const before = visitor.responses.length
  await visitor.clickThrough('Get the code in the fragment')
  assert.equal(await visitor.heading(), 'Alice Liddell')
  assert.notEqual((await visitor.claims('#id-token dl >> nth=1')).nonce, first.nonce)
  assert.ok(landings.some((url) => url.startsWith(`${site}/callback#code=`)), landings.join('\n'))
  assert.equal(visitor.responses.slice(before).some((r) => /[?&]code=/.test(r.url())), false)
  assert.equal(visitor.page.url(), `${site}/`)
  visitor.wantNoComplaints()
})

test('response_mode=query is the default', async () => {
  const visitor = await fixture.alice()
  await visitor.signIn()
  assert.ok(visitor.responses.some((r) => r.url().startsWith(`${site}/callback?code=`)))
  visitor.wantNoComplaints()
})

// What each file of tests starts with: the example, and a browser.

import { after, before } from 'node:test'
import { startExample } from './example.mjs'
import { startBrowser, visit } from './visitor.mjs'

/** In one hook: Node 20 does not wait for one before it starts the next. */
export function setUp(prepare = () => {}) {
  const fixture = {}
  before(async () => {
    fixture.example = await startExample()
    fixture.browser = await startBrowser()
    await prepare(fixture)
  })
  after(async () => {
    await fixture.browser?.close()
    await fixture.example?.stop()
  })
  fixture.alice = (options) => visit(fixture.browser, fixture.example.person, options)
  fixture.mallory = (options) => visit(fixture.browser, { ...fixture.example.person, password: 'not-the-password' }, options)
  fixture.nobody = (options) => visit(fixture.browser, undefined, options)
  return fixture
}

// The page of README's recipe for a static site, where its visitor is not signed
// in: it says so, keeps no code in its address, and does not leave again by
// itself. What signs one in is in oidc-client-ts.test.mjs.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
const section = readme.split('\n### A static site that signs its visitors in\n')[1].split('\n##')[0]
const script = section.match(/```js\n(.*?)```/s)[1]
const AsyncFunction = (async () => {}).constructor
const page = new AsyncFunction('UserManager', 'location', 'history', 'document', script)

/** Loads the page at a URL; returns what its visitor sees of that. */
async function load(url, { callback, user }) {
  const seen = { left: 0, address: url, text: '' }
  class UserManager {
    async signinCallback() { if (callback) throw callback }
    async getUser() { return user }
    async signinRedirect() { seen.left++ }
  }
  await page(UserManager, new URL(url), { replaceState: (...args) => { seen.address = args[2] } }, { body: { append: (text) => { seen.text += text } } })
  return seen
}

const refused = 'https://id.example.com/callback?error=access_denied&state=s'
const spent = 'https://id.example.com/callback?code=c&state=s'
const alice = { expired: false }

test('a sign-in that was refused is told, and not tried again', async () => {
  const seen = await load(refused, { callback: new Error('access_denied'), user: null })
  assert.deepEqual(seen, { left: 0, address: '/', text: 'You are not signed in: access_denied' })
})

test('a used code that is opened again is told, and not tried again', async () => {
  const seen = await load(spent, { callback: new Error('No matching state found in storage'), user: null })
  assert.deepEqual(seen, { left: 0, address: '/', text: 'You are not signed in: No matching state found in storage' })
})

test('whoever is signed in already does not mind', async () => {
  assert.deepEqual(await load(spent, { callback: new Error('No matching state found in storage'), user: alice }), { left: 0, address: '/', text: '' })
})

test('a stranger, and whoever was signed in too long ago, leaves to sign in', async () => {
  for (const user of [null, { expired: true }]) {
    assert.deepEqual(await load('https://id.example.com/', { user }), { left: 1, address: 'https://id.example.com/', text: '' })
  }
})

test('it is a module, for it waits at its top level', () => {
  assert.match(section, /`<script type="module">`/)
  assert.match(section, /`import \{ UserManager \} from 'oidc-client-ts'`/)
})

test('the global of the file without a bundler is what README says', async () => {
  const file = import.meta.resolve('oidc-client-ts').replace(/dist.*$/, section.match(/dist\/browser\/[a-z.-]+\.js/)[0])
  const [, name] = section.match(/`const \{ UserManager \} = (\w+)`/)
  assert.match(await readFile(new URL(file), 'utf8'), new RegExp(`^\\s*"?(?:use strict)?"?;?\\s*var ${name}\\b`))
})

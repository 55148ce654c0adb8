// npm oidc-client-ts, the library of most static sites, as a page uses it. What
// Node has not is put in its place: a window whose location is only noted, its
// two storages, and fetch with the checks that a browser makes of other origins.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, beforeEach, describe, test } from 'node:test'
import { algorithms, clientId, redirectURI } from './caddy.mjs'
import { alice, aliceClaims, nobody, signIn, startProvider } from './signin.mjs'

const origin = new URL(redirectURI).origin
const nodeFetch = globalThis.fetch

/** Does what a browser does for a page of origin: CORS, with its preflight. */
async function pageFetch(url, init = {}) {
  const headers = new Headers(init.headers)
  const method = init.method ?? 'GET'
  const asked = [...headers.keys()].filter((name) => !['accept', 'content-type'].includes(name))
  if (asked.length > 0) {
    const preflight = await nodeFetch(url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': asked.join(',') },
    })
    const allowed = (preflight.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/, */)
    if (!preflight.ok || !readable(preflight) || !asked.every((name) => allowed.includes(name))) throw new TypeError(`CORS preflight of ${url}`)
  }
  headers.set('origin', origin)
  const response = await nodeFetch(url, { ...init, headers })
  if (!readable(response)) throw new TypeError(`CORS: ${url}`)
  return response
}

const readable = (response) => ['*', origin].includes(response.headers.get('access-control-allow-origin'))

let UserManager
let InMemoryWebStorage
let caddy
before(async () => {
  caddy = await startProvider()
  globalThis.fetch = pageFetch
  ;({ UserManager, InMemoryWebStorage } = await import('oidc-client-ts'))
})
after(async () => {
  for (const page of pages) await page.removeUser() // and its timers, which would keep this process
  globalThis.fetch = nodeFetch
  await caddy?.stop()
})
beforeEach(() => {
  const location = { href: `${origin}/`, origin }
  globalThis.window = { location, addEventListener() {}, localStorage: new InMemoryWebStorage(), sessionStorage: new InMemoryWebStorage() }
  globalThis.window.self = globalThis.window
})

/** All that a site says of itself. */
const settings = (alg, more) => ({ authority: caddy.issuers.get(alg), client_id: clientId('none'), redirect_uri: redirectURI, scope: 'openid profile email', ...more })

/** A page that is loaded anew. */
function load(alg, more) {
  const page = new UserManager(settings(alg, more))
  pages.push(page)
  return page
}
const pages = []

/** Presses the button: the URL that the page leaves for. */
function leave(page, args) {
  return new Promise((resolve, reject) => {
    globalThis.window.location.assign = resolve
    page.signinRedirect(args).catch(reject) // the page is gone before it returns
  })
}

/** The browser's own navigation, from which it comes back with an answer. */
async function navigate(url, person) {
  globalThis.fetch = nodeFetch
  try {
    return await signIn(caddy, url, person)
  } finally {
    globalThis.fetch = pageFetch
  }
}

/** Leaves, signs in with the browser's password, and comes back to a page that is loaded anew. */
async function roundTrip(alg, { person, args, ...more } = {}) {
  const callback = await navigate(await leave(load(alg, more), args), person)
  const user = await load(alg, more).signinCallback(callback.href)
  caddy.keep('access token', user.access_token)
  caddy.keep('ID token', user.id_token)
  return { user, callback }
}

for (const alg of algorithms) {
  describe(`oidc-client-ts, ${alg}`, () => {
    test('a page signs its visitor in, and still knows them when it is loaded again', async () => {
      const { user } = await roundTrip(alg, { person: alice })
      for (const [name, value] of Object.entries(aliceClaims)) assert.deepEqual(user.profile[name], value)
      assert.equal(user.token_type, 'Bearer')
      assert.equal(user.scope, 'openid profile email')
      assert.equal(user.expired, false)
      assert.equal((await load(alg).getUser()).profile.sub, 'alice')
    })

    test('it asks UserInfo if it is told to, and that says the same', async () => {
      const { user } = await roundTrip(alg, { person: alice, loadUserInfo: true })
      for (const [name, value] of Object.entries(aliceClaims)) assert.deepEqual(user.profile[name], value)
    })
  })
}

test('the page in README signs its visitor in', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const script = readme.match(/```js\n(.*?)```/s)[1]
    .replace('https://id.example.com/callback', redirectURI).replace('https://id.example.com', caddy.issuers.get('ES256')).replace("'spa'", `'${clientId('none')}'`)
  const AsyncFunction = (async () => {}).constructor
  const page = new AsyncFunction('UserManager', 'location', 'history', `${script}\nreturn user`)
  class Manager extends UserManager {
    constructor(...args) {
      super(...args)
      pages.push(this)
    }
  }
  const left = new Promise((resolve) => { window.location.assign = resolve })
  page(Manager, { pathname: '/' }) // it does not return: the page is gone
  const callback = await navigate(await left, alice)
  window.location.href = callback.href
  const shown = []
  const user = await page(Manager, callback, { replaceState: (...args) => shown.push(args[2]) })
  assert.equal(user.profile.sub, 'alice')
  assert.deepEqual(shown, ['/'])
})

test('the answer comes in the fragment if the site asks for that', async () => {
  const { user, callback } = await roundTrip('ES256', { person: alice, response_mode: 'fragment' })
  assert.equal(callback.search, '')
  assert.equal(user.profile.sub, 'alice')
})

test('prompt=none is login_required for a stranger, and no question for who is signed in', async () => {
  await assert.rejects(roundTrip('ES256', { args: { prompt: 'none' } }), { name: 'ErrorResponse', error: 'login_required' })
  assert.equal((await roundTrip('ES256', { person: alice, args: { prompt: 'none' } })).user.profile.sub, 'alice')
})

test('whoever has no subject is access_denied', async () => {
  await assert.rejects(roundTrip('ES256', { person: nobody }), { name: 'ErrorResponse', error: 'access_denied' })
})

test('a scope that is not there is invalid_scope', async () => {
  await assert.rejects(roundTrip('ES256', { person: alice, scope: 'nothing' }), { name: 'ErrorResponse', error: 'invalid_scope' })
})

test('a second visit to the callback gets no second user', async () => {
  const { callback } = await roundTrip('ES256', { person: alice })
  await assert.rejects(load('ES256').signinCallback(callback.href), /No matching state found/)
})

test('REQ-239 H17 H18 no password, code or token is in the access log or the log at DEBUG', () => {
  assert.match(caddy.output, /http\.log\.access/)
  assert.ok(caddy.confidential.size > 20)
  assert.deepEqual(caddy.leaks(), [])
})

// npm oidc-client-ts, the library of many static sites, in a page of the site.

import assert from 'node:assert/strict'
import { copyFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { test } from 'node:test'
import { site } from './example.mjs'
import { setUp } from './fixture.mjs'

const library = fileURLToPath(import.meta.resolve('oidc-client-ts')).replace(/dist.*$/, 'dist/browser/oidc-client-ts.min.js')

const fixture = setUp(async ({ example }) => {
  await copyFile(library, join(example.site, 'oidc-client-ts.js'))
  await writeFile(join(example.site, 'index.html'), '<!doctype html><title>a page</title><link rel="icon" href="data:,"><script src="/oidc-client-ts.js"></script><script src="/page-of-the-test.js"></script>')
})

/** Runs in the page, before and after the way to the provider. */
async function signIn(oidc, settings) {
  const manager = new oidc.UserManager({
    authority: location.origin, client_id: 'spa', redirect_uri: `${location.origin}/callback`, scope: 'openid profile email', loadUserInfo: true, ...settings,
  })
  if (location.pathname === '/callback') await manager.signinCallback()
  const user = await manager.getUser()
  if (!user) return manager.signinRedirect()
  document.title = JSON.stringify(user.profile)
}

async function visitWith(settings) {
  await writeFile(join(fixture.example.site, 'page-of-the-test.js'),
    `(${signIn})(oidc, ${JSON.stringify(settings)}).catch((error) => { document.title = String(error) })`)
  const visitor = await fixture.alice()
  await visitor.page.goto(site)
  await visitor.page.waitForFunction(() => document.title.length > 'a page'.length)
  return { visitor, title: await visitor.page.title() }
}

test('it signs in by discovery alone, and finds the person at UserInfo', async () => {
  const { visitor, title } = await visitWith({ fetchRequestCredentials: 'omit' })
  const profile = JSON.parse(title)
  assert.deepEqual(
    { iss: profile.iss, sub: profile.sub, aud: profile.aud, name: profile.name, groups: profile.groups },
    { iss: site, sub: 'alice', aud: 'spa', name: 'Alice Liddell', groups: ['staff', 'wonderland'] },
  )
  assert.ok(visitor.responses.some((r) => r.url() === `${site}/userinfo` && r.status() === 200))
  visitor.wantNoComplaints()
})

// RFC 7617 §2.2: what basic_auth at /authorize asked for, a browser sends to
// all of the site. The library lets it.
test('C06 with its own settings the browser adds the password of the person, and the token endpoint refuses two clients in one', async () => {
  const { visitor, title } = await visitWith({})
  assert.equal(title, 'ErrorResponse: The request is malformed.')
  const token = visitor.responses.find((r) => r.url() === `${site}/token`)
  assert.equal(token.status(), 400)
  assert.match((await token.request().allHeaders()).authorization, /^Basic /)
})

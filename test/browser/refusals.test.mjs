// What must not be answered, and what the page must not believe.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { site } from './example.mjs'
import { setUp } from './fixture.mjs'

const fixture = setUp()
const verifier = 'v'.repeat(43)
const redirectURI = `${site}/callback`

/** A valid request, but for what is changed. */
function authorizationURL(changes = {}) {
  return `${site}/authorize?${new URLSearchParams({
    response_type: 'code', client_id: 'spa', redirect_uri: redirectURI, scope: 'openid', state: 'the-state', nonce: 'the-nonce',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...changes,
  })}`
}

for (const [name, changes] of [
  ['L13 a redirect URI that is not registered', { redirect_uri: `${site}/elsewhere` }],
  ['L13 a redirect URI of somebody else', { redirect_uri: 'https://attacker.example/callback' }],
  ['a client that is not registered', { client_id: 'stranger' }],
]) {
  test(`${name} leads to a page that goes nowhere`, async () => {
    const visitor = await fixture.alice()
    const response = await visitor.page.goto(authorizationURL(changes))
    assert.equal(response.status(), 400)
    assert.equal(visitor.page.url(), authorizationURL(changes))
    assert.equal(await visitor.heading(), 'You cannot be signed in')
    assert.equal(await visitor.page.locator('a, form').count(), 0)
    assert.doesNotMatch(await visitor.page.content(), /elsewhere|attacker|stranger/)
    assert.equal(visitor.prompts(), 0)
    visitor.wantNoComplaints(/status of 400/)
  })
}

describe('no other page can frame it', () => {
  for (const [name, path] of [
    ['the error page', authorizationURL({ redirect_uri: 'https://attacker.example/' }).slice(site.length)],
    ['the form_post page', authorizationURL({ response_mode: 'form_post' }).slice(site.length)],
    ['the application', '/'],
  ]) {
    test(name, async () => {
      const server = createServer((_, response) => {
        response.setHeader('Content-Type', 'text/html')
        response.end(`<!doctype html><title>a frame</title><link rel="icon" href="data:,"><iframe src="${site}${path.replaceAll('&', '&amp;')}"></iframe>`)
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      try {
        // On the same host: there the browser sends the password into a frame.
        const visitor = await fixture.alice()
        await visitor.signIn()
        const refused = visitor.page.waitForEvent('console', (message) => message.text().includes('frame-ancestors'))
        await visitor.page.goto(`http://localhost:${server.address().port}/`)
        await refused
        assert.doesNotMatch(visitor.page.frames()[1].url(), /^http/)
      } finally {
        server.close()
      }
    })
  }
})

describe('an answer that the page did not ask for', () => {
  /** Opens an answer in a tab that asked with the state the-state. */
  async function answer(parameters, transaction = { state: 'the-state', nonce: 'the-nonce', verifier }) {
    const visitor = await fixture.alice()
    await visitor.open()
    await visitor.page.evaluate((asked) => sessionStorage.setItem('transaction', JSON.stringify(asked)), transaction)
    await visitor.open(`/callback?${new URLSearchParams(parameters)}`)
    return visitor
  }

  for (const [name, parameters, words] of [
    ['with another state', { code: 'c', state: 'another', iss: site }, /belongs to no question of this tab/],
    ['without a state', { code: 'c', iss: site }, /belongs to no question of this tab/],
    ['L11 of another issuer', { code: 'c', state: 'the-state', iss: 'https://attacker.example' }, /names another provider/],
    ['L11 without an issuer', { code: 'c', state: 'the-state' }, /names another provider/],
    ['without a code', { state: 'the-state', iss: site }, /neither a code nor an error/],
    ['with a code that is not one', { code: 'c', state: 'the-state', iss: site }, /expired or was used already/],
    ['with an error', { error: 'access_denied', state: 'the-state', iss: site }, /The sign-in was refused/],
    ['with an error that nobody knows', { error: 'x<img>', state: 'the-state', iss: site }, /Something went wrong in this page\.\s+x<img>/],
  ]) {
    test(`${name}: nobody is signed in`, async () => {
      const visitor = await answer(parameters)
      assert.match(await visitor.alert(), words)
      assert.ok(await visitor.button('Sign in').isVisible())
      assert.equal(visitor.page.url(), `${site}/`)
      visitor.wantNoComplaints(/status of 400/)
    })
  }

  test('in a tab that asked for nothing: nobody is signed in', async () => {
    const visitor = await fixture.alice()
    await visitor.open(`/callback?${new URLSearchParams({ code: 'c', state: 'undefined', iss: site })}`)
    assert.match(await visitor.alert(), /belongs to no question of this tab/)
    visitor.wantNoComplaints()
  })

  test('with a code that belongs to another nonce: the ID token is not believed', async () => {
    const visitor = await fixture.alice()
    await visitor.open()
    await visitor.page.evaluate((asked) => sessionStorage.setItem('transaction', JSON.stringify(asked)), { state: 'the-state', nonce: 'mine', verifier })
    await visitor.page.goto(authorizationURL())
    await visitor.settled()
    assert.match(await visitor.alert(), /nobody is signed in by it\.\s+token_not_believed: it answers another request/)
    assert.ok(await visitor.button('Sign in').isVisible())
  })
})

test('UserInfo of somebody else is not shown', async () => {
  const visitor = await fixture.alice()
  await visitor.page.route(`${site}/userinfo`, (route) => route.fulfill({ contentType: 'application/json', body: '{"sub":"mallory","name":"Mallory"}' }))
  await visitor.open()
  await visitor.clickThrough('Sign in')
  assert.match(await visitor.alert(), /UserInfo is about somebody else/)
  assert.doesNotMatch(await visitor.page.locator('main').innerText(), /Mallory/)
})

test('metadata of another issuer is not followed', async () => {
  const visitor = await fixture.alice()
  await visitor.open()
  await visitor.page.route('**/.well-known/openid-configuration', (route) => route.fulfill({
    contentType: 'application/json', body: JSON.stringify({ issuer: 'https://attacker.example', authorization_endpoint: 'https://attacker.example/authorize' }),
  }))
  await visitor.button('Sign in').click()
  await visitor.page.getByRole('alert').getByText('the metadata is of https://attacker.example').waitFor()
  visitor.wantNoComplaints()
})

test('a script that somebody slips into the page does not run', async () => {
  const visitor = await fixture.alice()
  await visitor.page.route(`${site}/`, async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, body: (await response.text()).replace('</body>', '<script>window.ran = true</script></body>') })
  })
  await visitor.open()
  assert.equal(await visitor.page.evaluate(() => window.ran), undefined)
  assert.ok(visitor.complaints.some((text) => text.includes("script-src 'self'")), visitor.complaints.join('\n'))
  const [error, added] = await visitor.page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML('beforeend', '<b id="added"></b>')
    } catch (e) {
      return [e.name, document.getElementById('added')]
    }
    return [undefined, 'added']
  })
  assert.deepEqual([error, added], ['TypeError', null], 'text from outside can become HTML')
})

test('a provider that does not answer is named as that', async () => {
  const visitor = await fixture.alice()
  await visitor.open()
  await visitor.page.route('**/.well-known/openid-configuration', (route) => route.abort())
  await visitor.button('Sign in').click()
  await visitor.page.getByRole('alert').getByText('The provider does not answer.').waitFor()
  await visitor.page.unroute('**/.well-known/openid-configuration')
  await visitor.clickThrough('Sign in')
  assert.equal(await visitor.heading(), 'Alice Liddell')
})

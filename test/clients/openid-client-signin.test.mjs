// npm openid-client from the issuer's URL alone: discovery, sign-in, tokens,
// UserInfo, and refusals as the library reports them.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import * as client from 'openid-client'
import { algorithms, clientId, methods, redirectURI } from './caddy.mjs'
import { alice, aliceClaims, nobody, open, signIn, startProvider, submitted } from './signin.mjs'

let caddy
before(async () => { caddy = await startProvider() })
after(() => caddy?.stop())

const authentication = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  none: client.None,
}

async function discover(alg = 'RS256', method = 'none') {
  const config = await client.discovery(
    new URL(caddy.issuers.get(alg)),
    clientId(method),
    { id_token_signed_response_alg: alg },
    authentication[method](caddy.secret),
    { execute: [client.allowInsecureRequests] }, // the issuer is on loopback
  )
  client.enableNonRepudiationChecks(config) // it verifies signatures
  return config
}

/** An authorization request, and what its answer is checked with. */
async function request(config, parameters = {}) {
  const checks = {
    pkceCodeVerifier: caddy.keep('verifier', client.randomPKCECodeVerifier()),
    expectedState: `a+b &<"%2F ${client.randomState()}`,
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectURI,
    scope: 'openid profile email',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  })
  return { url, checks }
}

async function redeem(config, callback, checks) {
  const tokens = await client.authorizationCodeGrant(config, callback, checks)
  caddy.keep('access token', tokens.access_token)
  caddy.keep('ID token', tokens.id_token)
  return tokens
}

/** Core §3.1.3.6; the library leaves it to the application in the code flow. */
function atHash(alg, accessToken) {
  const hash = createHash(alg === 'EdDSA' ? 'sha512' : 'sha256').update(accessToken).digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

/** Asserts that a person's request comes back as an error that the library reports. */
async function refused(config, { url, checks }, person, error) {
  const callback = await signIn(caddy, url, person)
  await assert.rejects(client.authorizationCodeGrant(config, callback, checks), { name: 'AuthorizationResponseError', error })
}

for (const alg of algorithms) {
  for (const method of methods) {
    test(`openid-client, ${alg}, ${method}: from the issuer's URL to UserInfo`, async () => {
      const config = await discover(alg, method)
      const { url, checks } = await request(config)
      const tokens = await redeem(config, await signIn(caddy, url, alice), checks)
      const claims = tokens.claims()
      for (const [name, value] of Object.entries(aliceClaims)) assert.deepEqual(claims[name], value)
      assert.equal(claims.acr, 'urn:example:password')
      assert.deepEqual(claims.amr, ['pwd'])
      assert.equal(claims.at_hash, atHash(alg, tokens.access_token))
      assert.deepEqual(await client.fetchUserInfo(config, tokens.access_token, claims.sub), aliceClaims)
    })
  }
}

test('UserInfo for another subject is refused by the library', async () => {
  const config = await discover()
  const { url, checks } = await request(config)
  const tokens = await redeem(config, await signIn(caddy, url, alice), checks)
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'bob'))
})

test('claims at UserInfo follow the scope', async () => {
  const config = await discover()
  const { url, checks } = await request(config, { scope: 'openid' })
  const tokens = await redeem(config, await signIn(caddy, url, alice), checks)
  const { sub, groups } = aliceClaims
  assert.deepEqual(await client.fetchUserInfo(config, tokens.access_token, sub), { sub, groups })
})

test('an access token that nobody issued is answered with a challenge', async () => {
  await assert.rejects(client.fetchUserInfo(await discover(), 'no.such.token', 'alice'), (error) => {
    assert.equal(error.name, 'WWWAuthenticateChallengeError')
    assert.equal(error.status, 401)
    assert.equal(error.cause[0].scheme, 'bearer')
    assert.equal(error.cause[0].parameters.error, 'invalid_token')
    return true
  })
})

test('the answer comes by form_post if asked for', async () => {
  const config = await discover()
  const { url, checks } = await request(config, { response_mode: 'form_post' })
  const { status, text } = await open(url, alice)
  assert.equal(status, 200)
  const post = submitted(text)
  caddy.keep('code', new URLSearchParams(await post.clone().text()).get('code'))
  assert.equal((await redeem(config, post, checks)).claims().sub, 'alice')
})

test('L11 an answer that does not name this issuer is refused by the library, for discovery says it does', async () => {
  const config = await discover()
  const { url, checks } = await request(config)
  const callback = await signIn(caddy, url, alice)
  for (const change of [(q) => q.delete('iss'), (q) => q.set('iss', caddy.issuers.get('ES256'))]) {
    const forged = new URL(callback)
    change(forged.searchParams)
    await assert.rejects(client.authorizationCodeGrant(config, forged, checks), (error) => /"iss"/.test(error.cause.message))
  }
  assert.ok((await redeem(config, callback, checks)).id_token)
})

test('prompt=none is login_required for a stranger, and no question for who is signed in', async () => {
  const config = await discover()
  await refused(config, await request(config, { prompt: 'none' }), undefined, 'login_required')
  const { url, checks } = await request(config, { prompt: 'none' })
  assert.equal((await redeem(config, await signIn(caddy, url, alice), checks)).claims().sub, 'alice')
})

test('max_age is satisfied, and the library finds a fitting auth_time', async () => {
  const config = await discover()
  const { url, checks } = await request(config, { max_age: '60' })
  assert.ok((await redeem(config, await signIn(caddy, url, alice), { ...checks, maxAge: 60 })).id_token)
})

test('whoever has no subject is access_denied', async () => {
  const config = await discover()
  await refused(config, await request(config), nobody, 'access_denied')
})

for (const [error, parameters] of [
  ['invalid_scope', { scope: 'nothing' }],
  ['unsupported_response_type', { response_type: 'token' }],
  ['consent_required', { prompt: 'consent' }],
  // With these the library leaves response_type out unless told (Core §6.1).
  ['request_not_supported', { request: 'e30.e30.', response_type: 'code' }],
  ['request_uri_not_supported', { request_uri: 'https://app.example/request', response_type: 'code' }],
  ['registration_not_supported', { registration: '{}' }],
]) {
  // RFC 9700 §4.11.2: else a link to here would lead strangers to wherever a client registered.
  test(`a request with ${Object.entries(parameters)[0].join(' ')} is ${error}, once somebody has signed in`, async () => {
    const config = await discover()
    const asked = await request(config, parameters)
    const { status, location } = await open(asked.url, undefined)
    assert.deepEqual({ status, location }, { status: 401, location: null })
    await refused(config, asked, alice, error)
  })
}

test('with prompt=none a request that is not right is refused at once, for nothing may be shown', async () => {
  const config = await discover()
  await refused(config, await request(config, { prompt: 'none login' }), undefined, 'invalid_request')
  await refused(config, await request(config, { prompt: 'none', scope: 'nothing' }), undefined, 'invalid_scope')
})

test('without a password, and with a wrong one, the browser is asked for it', async () => {
  const { url } = await request(await discover())
  for (const person of [undefined, { ...alice, password: 'wrong' }]) {
    const { status, headers } = await open(url, person)
    assert.equal(status, 401)
    assert.match(headers.get('www-authenticate'), /^Basic /)
  }
})

test('L13 a redirect URI that is not registered is an error page', async () => {
  const { url } = await request(await discover(), { redirect_uri: 'https://attacker.example/' })
  const { status, location, headers } = await open(url, alice)
  assert.equal(status, 400)
  assert.equal(location, null)
  assert.match(headers.get('content-security-policy'), /frame-ancestors 'none'/)
})

test('REQ-239 H17 H18 no password, secret, code, verifier or token is in the access log or the log at DEBUG', () => {
  assert.match(caddy.output, /http\.log\.access/)
  assert.ok(caddy.confidential.size > 40)
  assert.deepEqual(caddy.leaks(), [])
})

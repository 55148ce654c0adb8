// The pages' own verification of tokens, with keys and tokens made for it: one
// change from a good one per row. It runs where it is used, in the browser.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setUp } from './fixture.mjs'

let page
setUp(async (fixture) => {
  const visitor = await fixture.nobody()
  await visitor.open()
  page = visitor.page
  await page.evaluate(makeIssuer)
})

/** Runs in the page: an issuer that can also do wrong. */
async function makeIssuer() {
  const { base64url } = await import('/pkce.js')
  const parameters = {
    RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    ES256: { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' },
    ES384: { name: 'ECDSA', hash: 'SHA-384', namedCurve: 'P-384' },
    ES512: { name: 'ECDSA', hash: 'SHA-512', namedCurve: 'P-521' },
    EdDSA: { name: 'Ed25519' },
  }
  const encode = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)))
  window.sign = async (alg, { header, claims, tamper = (jwt) => jwt } = {}) => {
    const pair = await crypto.subtle.generateKey(parameters[alg], true, ['sign', 'verify'])
    const keys = [{ ...(await crypto.subtle.exportKey('jwk', pair.publicKey)), kid: 'k', alg, use: 'sig' }]
    const input = `${encode({ alg, kid: 'k', typ: 'JWT', ...header })}.${encode(claims ?? { sub: 'alice' })}`
    const signature = await crypto.subtle.sign(parameters[alg], pair.privateKey, new TextEncoder().encode(input))
    return { jwt: tamper(`${input}.${base64url(new Uint8Array(signature))}`), keys }
  }
  window.outcome = async (action) => {
    try {
      return await action()
    } catch (error) {
      return error.detail ?? `unexpected: ${error}`
    }
  }
}

for (const alg of ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
  test(`${alg} signatures are verified, and one of other claims is not`, async () => {
    const [good, bad] = await page.evaluate(async (alg) => {
      const { verify } = await import('/jws.js')
      const { jwt, keys } = await sign(alg)
      const other = (await sign(alg, { claims: { sub: 'mallory' } })).jwt.split('.')[1]
      const [header, , signature] = jwt.split('.')
      return [
        await outcome(async () => { await verify(jwt, keys, [alg]); return 'verified' }),
        await outcome(async () => { await verify(`${header}.${other}.${signature}`, keys, [alg]); return 'verified' }),
      ]
    }, alg)
    assert.equal(good, 'verified')
    assert.equal(bad, 'its signature is wrong')
  })
}

for (const [name, header, want] of [
  ['D08 an algorithm of none', { alg: 'none' }, 'its algorithm is none'],
  ['D09 an algorithm with a shared secret', { alg: 'HS256' }, 'its algorithm is HS256'],
  ['an algorithm that the provider does not use', { alg: 'RS512' }, 'its algorithm is RS512'],
  ['a key that is not published', { kid: 'another' }, 'its key is not published'],
  ['D10 a key in the header', { kid: 'mine', jwk: { kty: 'RSA' } }, 'its key is not published'],
]) {
  test(`${name} is refused`, async () => {
    const got = await page.evaluate(async (header) => {
      const { verify } = await import('/jws.js')
      const { jwt, keys } = await sign('RS256', { header })
      return outcome(async () => { await verify(jwt, keys, ['RS256']); return 'verified' })
    }, header)
    assert.equal(got, want)
  })
}

describe('an ID token', () => {
  const now = 1_800_000_000
  const good = { iss: 'https://id.example', aud: 'spa', exp: now + 60, iat: now, nonce: 'n', sub: 'alice' }

  function check(changes, accessToken = 'access') {
    return page.evaluate(async ({ claims, now, accessToken }) => {
      const { checkIDToken } = await import('/idtoken.js')
      const { halfHash } = await import('/jws.js')
      const { jwt, keys } = await sign('ES256', { claims: { at_hash: await halfHash('ES256', 'access'), ...claims } })
      const metadata = { issuer: 'https://id.example', id_token_signing_alg_values_supported: ['ES256'] }
      return outcome(async () => (await checkIDToken({ idToken: jwt, accessToken, metadata, client: { id: 'spa' }, keys, nonce: 'n', now })).length)
    }, { claims: { ...good, ...changes }, now, accessToken })
  }

  test('that holds what it must is believed', async () => assert.equal(await check({}), 6))
  test('with one audience in a list is believed', async () => assert.equal(await check({ aud: ['spa'] }), 6))
  for (const [name, changes, want] of [
    ['of another issuer', { iss: 'https://attacker.example' }, 'it is of another issuer'],
    ['for another client', { aud: 'web' }, 'it is for another application'],
    ['for several', { aud: ['spa', 'web'] }, 'it is for another application'],
    ['for nobody', { aud: [] }, 'it is for another application'],
    ['that has expired', { exp: now - 31 }, 'it has expired'],
    ['that never expires', { exp: undefined }, 'it has expired'],
    ['of the future', { iat: now + 31 }, 'it is of the future'],
    ['with another nonce', { nonce: 'm' }, 'it answers another request'],
    ['without a nonce', { nonce: undefined }, 'it answers another request'],
    ['without at_hash', { at_hash: undefined }, 'it came with another access token'],
  ]) {
    test(`${name} is refused`, async () => assert.equal(await check(changes), want))
  }
  test('that came with another access token is refused', async () => {
    assert.equal(await check({}, 'another'), 'it came with another access token')
  })
})

test('the PKCE challenge is that of RFC 7636 appendix B', async () => {
  const got = await page.evaluate(async () => (await import('/pkce.js')).challenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'))
  assert.equal(got, 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')
})

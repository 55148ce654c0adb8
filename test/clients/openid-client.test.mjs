// npm openid-client, the certified relying party, from discovery to a verified
// ID token.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import * as client from 'openid-client'
import { algorithms, clientId, methods, person, redirectURI, startCaddy } from './caddy.mjs'

let caddy
before(async () => { caddy = await startCaddy() })
after(() => caddy?.stop())

const authentication = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  none: client.None,
}

/** Discovers the issuer as an application does when it starts. */
async function discover(alg, method, secret = caddy.secret) {
  const config = await client.discovery(
    new URL(caddy.issuers.get(alg)),
    clientId(method),
    { id_token_signed_response_alg: alg },
    authentication[method](secret),
    { execute: [client.allowInsecureRequests] }, // the issuer is on loopback
  )
  // Without this it trusts the connection and leaves signatures alone.
  client.enableNonRepudiationChecks(config)
  return config
}

/** A code as it comes back to the redirect URI, and what to check it with. */
async function login(alg, method) {
  const pkceCodeVerifier = caddy.keep('verifier', client.randomPKCECodeVerifier())
  const expectedNonce = client.randomNonce()
  const code = await caddy.mint({
    ...person,
    issuer: caddy.issuers.get(alg),
    client_id: clientId(method),
    redirect_uri: redirectURI,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const url = new URL(redirectURI)
  url.searchParams.set('code', code)
  return { url, checks: { pkceCodeVerifier, expectedNonce, idTokenExpected: true } }
}

async function redeem(config, { url, checks }) {
  const tokens = await client.authorizationCodeGrant(config, url, checks)
  caddy.keep('access token', tokens.access_token)
  caddy.keep('ID token', tokens.id_token)
  return tokens
}

/** Core §3.1.3.6; the library leaves it to the application in the code flow. */
function atHash(alg, accessToken) {
  const hash = createHash(alg === 'EdDSA' ? 'sha512' : 'sha256').update(accessToken).digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}

for (const alg of algorithms) {
  for (const method of methods) {
    describe(`openid-client, ${alg}, ${method}`, () => {
      test('REQ-038 REQ-119 REQ-124 REQ-126 REQ-131 REQ-134 a code becomes a verified ID token', async () => {
        const config = await discover(alg, method)
        const tokens = await redeem(config, await login(alg, method))

        assert.equal(tokens.token_type, 'bearer')
        assert.equal(tokens.scope, person.scope)
        assert.equal(tokens.expires_in, 600)
        assert.equal(tokens.refresh_token, undefined)
        const claims = tokens.claims()
        assert.equal(claims.iss, caddy.issuers.get(alg))
        assert.equal(claims.aud, clientId(method))
        assert.equal(claims.sub, person.subject)
        assert.equal(claims.auth_time, person.auth_time)
        assert.equal(claims.acr, person.acr)
        assert.deepEqual(claims.amr, person.amr)
        assert.equal(claims.at_hash, atHash(alg, tokens.access_token))
      })

      test('REQ-135 claims come by scope, with their types', async () => {
        const config = await discover(alg, method)
        const claims = (await redeem(config, await login(alg, method))).claims()
        assert.equal(claims.name, person.claims.name)
        assert.equal(claims.email, person.claims.email)
        assert.equal(claims.email_verified, true)
        assert.equal(claims.updated_at, person.claims.updated_at)
        assert.ok(!('phone_number' in claims), 'the scope phone was not granted')
      })

      test('REQ-101 A01 a code redeemed again is invalid_grant', async () => {
        const config = await discover(alg, method)
        const code = await login(alg, method)
        await redeem(config, code)
        await assert.rejects(redeem(config, code), { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 })
      })

      test('REQ-095 REQ-105 another verifier is invalid_grant, and the code is good afterwards', async () => {
        const config = await discover(alg, method)
        const code = await login(alg, method)
        const wrong = { ...code, checks: { ...code.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() } }
        await assert.rejects(redeem(config, wrong), { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 })
        assert.ok((await redeem(config, code)).id_token)
      })

      if (method !== 'none') {
        test('REQ-044 A16 a wrong secret is invalid_client with a challenge, and the code is good afterwards', async () => {
          const code = await login(alg, method)
          const stranger = await discover(alg, method, 'not-the-secret-but-long-enough')
          await assert.rejects(redeem(stranger, code), (error) => {
            assert.equal(error.name, 'WWWAuthenticateChallengeError')
            assert.equal(error.status, 401)
            assert.equal(error.cause[0].scheme, 'basic')
            assert.equal(error.cause[0].parameters.charset, 'UTF-8')
            return true
          })
          assert.ok((await redeem(await discover(alg, method), code)).id_token)
        })
      }
    })
  }
}

test('REQ-239 H17 H18 no secret, code, verifier or token is in the access log or the log at DEBUG', () => {
  assert.match(caddy.output, /"logger":"http\.log\.access"|http\.log\.access/)
  assert.ok(caddy.confidential.size > 100)
  assert.deepEqual(caddy.leaks(), [])
})

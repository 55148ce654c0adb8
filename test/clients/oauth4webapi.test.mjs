// npm oauth4webapi, step by step: every document and every answer is judged by
// itself, the access token too, as the API that receives it does.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { algorithms, clientId, methods, person, redirectURI, redirectURIWithQuery, startCaddy } from './caddy.mjs'

let caddy
before(async () => { caddy = await startCaddy() })
after(() => caddy?.stop())

const insecure = { [oauth.allowInsecureRequests]: true } // the issuer is on loopback

const authentication = {
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
  none: oauth.None,
}

async function discover(alg, algorithm) {
  const issuer = new URL(caddy.issuers.get(alg))
  const response = await oauth.discoveryRequest(issuer, { algorithm, ...insecure })
  return oauth.processDiscoveryResponse(issuer, response)
}

const registered = (alg, method) => ({ client_id: clientId(method), id_token_signed_response_alg: alg })

/** A code as a login application mints it. */
async function login(alg, method, { pkce = true, redirectURI = redirectURIWithQuery } = {}) {
  const verifier = pkce ? oauth.generateRandomCodeVerifier() : oauth.nopkce
  const nonce = oauth.generateRandomNonce()
  const code = await caddy.mint({
    ...person,
    issuer: caddy.issuers.get(alg),
    client_id: clientId(method),
    redirect_uri: redirectURI,
    nonce,
    ...(pkce && { code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }),
  })
  return { code, nonce, verifier, redirectURI }
}

async function request(as, alg, method, { code, verifier, redirectURI }, secret = caddy.secret) {
  const client = registered(alg, method)
  const callback = oauth.validateAuthResponse(as, client, new URLSearchParams({ code }), oauth.expectNoState)
  return oauth.authorizationCodeGrantRequest(as, client, authentication[method](secret), callback, redirectURI, verifier, insecure)
}

const read = (as, alg, method, response, { nonce }) =>
  oauth.processAuthorizationCodeResponse(as, registered(alg, method), response, { expectedNonce: nonce, requireIdToken: true })

/** Asserts an RFC 6749 §5.2 error, as the library reads it. */
async function refused(as, alg, method, response, login, expected) {
  assert.match(response.headers.get('cache-control'), /no-store/)
  await assert.rejects(read(as, alg, method, response, login), { name: 'ResponseBodyError', ...expected })
}

for (const alg of algorithms) {
  test(`REQ-182 REQ-183 REQ-184 both discovery documents of the ${alg} issuer are valid and say the same`, async () => {
    const oidc = await discover(alg, 'oidc')
    assert.deepEqual(await discover(alg, 'oauth2'), oidc)
    assert.equal(oidc.authorization_endpoint, 'https://login.example/authorize')
    assert.deepEqual(oidc.code_challenge_methods_supported, ['S256'])
    assert.ok(oidc.id_token_signing_alg_values_supported.includes(alg))
    assert.ok(oidc.id_token_signing_alg_values_supported.includes('RS256'), 'RS256 is always available with automatic keys')
  })

  for (const method of methods) {
    describe(`oauth4webapi, ${alg}, ${method}`, () => {
      test('REQ-114 REQ-119 REQ-124 REQ-125 a code becomes an ID token signed by a published key', async () => {
        const as = await discover(alg)
        const code = await login(alg, method)
        const response = await request(as, alg, method, code)
        const tokens = await read(as, alg, method, response, code)
        await oauth.validateApplicationLevelSignature(as, response, insecure)
        const claims = oauth.getValidatedIdTokenClaims(tokens)
        assert.equal(claims.sub, person.subject)
        assert.equal(claims.iss, as.issuer)
        assert.deepEqual(JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url')).alg, alg)
      })

      test('REQ-140 REQ-141 REQ-142 T05 the access token is for the API alone', async () => {
        const as = await discover(alg)
        const code = await login(alg, method)
        const tokens = await read(as, alg, method, await request(as, alg, method, code), code)
        const call = (token) => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })

        const claims = await oauth.validateJwtAccessToken(as, call(tokens.access_token), as.issuer, insecure)
        assert.equal(claims.client_id, clientId(method))
        assert.equal(claims.sub, person.subject)
        assert.equal(claims.scope, person.scope)
        assert.equal(claims.exp - claims.iat, tokens.expires_in)
        await assert.rejects(oauth.validateJwtAccessToken(as, call(tokens.id_token), clientId(method), insecure))
      })

      test('REQ-101 A01 a code redeemed again is invalid_grant', async () => {
        const as = await discover(alg)
        const code = await login(alg, method)
        await read(as, alg, method, await request(as, alg, method, code), code)
        await refused(as, alg, method, await request(as, alg, method, code), code, { error: 'invalid_grant', status: 400 })
      })

      test('REQ-089 A17 another redirect URI is invalid_grant, and the code is good afterwards', async () => {
        const as = await discover(alg)
        const code = await login(alg, method)
        const wrong = { ...code, redirectURI }
        await refused(as, alg, method, await request(as, alg, method, wrong), code, { error: 'invalid_grant', status: 400 })
        assert.ok((await read(as, alg, method, await request(as, alg, method, code), code)).id_token)
      })

      if (method === 'none') {
        test('B08 a public client gets no code without PKCE', async () => {
          await assert.rejects(login(alg, method, { pkce: false }), /minting a code: 400/)
        })
        return
      }

      test('REQ-100 a confidential client may leave PKCE out', async () => {
        const as = await discover(alg)
        const code = await login(alg, method, { pkce: false })
        assert.ok((await read(as, alg, method, await request(as, alg, method, code), code)).id_token)
      })

      test('REQ-044 REQ-161 a wrong secret is invalid_client with a challenge', async () => {
        const as = await discover(alg)
        const response = await request(as, alg, method, await login(alg, method), 'not-the-secret-but-long-enough')
        assert.equal(response.status, 401)
        assert.match(response.headers.get('www-authenticate'), /^Basic realm="[^"]+", charset="UTF-8"$/)
        const body = await response.json()
        assert.equal(body.error, 'invalid_client')
        assert.deepEqual(Object.keys(body).sort(), ['error', 'error_description'])
      })
    })
  }
}

test('REQ-036 C02 the registered method and no other', async () => {
  const as = await discover('RS256')
  for (const method of methods) {
    for (const presented of methods.filter((other) => other !== method)) {
      const code = await login('RS256', method)
      const callback = oauth.validateAuthResponse(as, { client_id: clientId(method) }, new URLSearchParams({ code: code.code }), oauth.expectNoState)
      const response = await oauth.authorizationCodeGrantRequest(
        as, { client_id: clientId(method) }, authentication[presented](caddy.secret), callback, code.redirectURI, code.verifier, insecure)
      assert.equal(response.status, 401, `${presented} for a client registered for ${method}`)
      assert.equal((await response.json()).error, 'invalid_client')
    }
  }
})

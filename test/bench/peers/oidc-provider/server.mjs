// The token endpoint of node-oidc-provider with its own adapter in memory, one
// confidential client and one signing key. A second port is the benchmark's:
// what it asks there is done outside the measured intervals.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js'
import LRU from 'oidc-provider/lib/helpers/lru.js'

const { ADDRESS, DOOR, ALGORITHM, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env
const issuer = `http://${ADDRESS}`
const email = 'alice@example.com'

// Its default bound of 1000 entries would drop codes before they are redeemed.
const store = new LRU({ maxSize: 100_000 })
class Adapter extends MemoryAdapter {
  constructor(model) {
    super(model, store)
  }
}

const generate = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
}

const provider = new Provider(issuer, {
  adapter: Adapter,
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: ALGORITHM,
  }],
  jwks: { keys: [{ ...generate[ALGORITHM]().privateKey.export({ format: 'jwk' }), use: 'sig', alg: ALGORITHM, kid: 'one' }] },
  enabledJWA: { idTokenSigningAlgValues: [...new Set(['RS256', ALGORITHM])] },
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email }) }),
  features: {
    devInteractions: { enabled: false },
    // A resource makes the access token a JWT (RFC 9068).
    resourceIndicators: {
      enabled: true,
      defaultResource: () => issuer,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'email',
        audience: issuer,
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: ALGORITHM } },
      }),
    },
  },
  ttl: { AuthorizationCode: 60, IdToken: 3600, Grant: 600 },
  cookies: { keys: ['none is set'] },
})
provider.on('server_error', (ctx, err) => console.error(err))
provider.on('grant.error', (ctx, err) => console.error(err.message, err.error_detail))

async function mint(n) {
  const client = await provider.Client.find(CLIENT_ID)
  const codes = []
  for (let i = 0; i < n; i++) {
    const grant = new provider.Grant({ accountId: 'alice', clientId: CLIENT_ID })
    grant.addOIDCScope('openid email')
    grant.addResourceScope(issuer, 'email')
    const code = new provider.AuthorizationCode({
      client,
      accountId: 'alice',
      grantId: await grant.save(),
      redirectUri: REDIRECT_URI,
      scope: 'openid email',
      resource: issuer,
      nonce: 'n-0S6_WzA2Mj',
      authTime: Math.floor(Date.now() / 1000),
    })
    codes.push(await code.save())
  }
  return codes
}

const [doorHost, doorPort] = DOOR.split(':')
createServer(async (request, response) => {
  try {
    const query = new URL(request.url, issuer).searchParams
    const codes = await mint(Number(query.get('n')))
    globalThis.gc?.()
    response.end(codes.join('\n'))
  } catch (err) {
    console.error(err)
    response.writeHead(500).end(String(err))
  }
}).listen(Number(doorPort), doorHost, () => {
  const [host, port] = ADDRESS.split(':')
  const server = provider.listen(Number(port), host)
  server.keepAliveTimeout = 0 // the load keeps its connections for the whole run
})

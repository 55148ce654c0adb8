// The provider, of which this page knows nothing but its issuer URL.

import { Failure } from './failure.js'

/** Its metadata, OpenID Connect Discovery 1.0 §4. */
export async function discover(issuer) {
  const metadata = await getJSON(`${issuer}/.well-known/openid-configuration`)
  // §4.3: a document of another issuer could send the code elsewhere.
  if (metadata.issuer !== issuer) throw new Failure('answer_of_another', `the metadata is of ${metadata.issuer}`)
  return metadata
}

/** Its public keys, RFC 7517. */
export async function publicKeys(metadata) {
  return (await getJSON(metadata.jwks_uri)).keys
}

/** What it says of the person whom the access token is about, Core §5.3. */
export async function userInfo(metadata, accessToken, subject) {
  const claims = await getJSON(metadata.userinfo_endpoint, { Authorization: `Bearer ${accessToken}` })
  // §5.3.2: otherwise claims of one person could be shown as another's.
  if (claims.sub !== subject) throw new Failure('token_not_believed', 'UserInfo is about somebody else')
  return claims
}

/** Redeems a code, RFC 6749 §4.1.3. */
export async function redeem(metadata, client, code, verifier) {
  return await getJSON(metadata.token_endpoint, {}, new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: client.id,
    redirect_uri: client.redirectURI,
    code,
    code_verifier: verifier,
  }))
}

// A browser sends the name and password that it was asked for at the
// authorization endpoint along to the other endpoints of the site, RFC 7617
// §2.2. There they are no business of anybody's, and at the token endpoint they
// would be a second client authentication: so without credentials.
async function getJSON(url, headers = {}, body = undefined) {
  const response = await fetch(url, { method: body ? 'POST' : 'GET', headers, body, credentials: 'omit', cache: 'no-store' })
  const type = response.headers.get('Content-Type') ?? ''
  const answer = type.startsWith('application/json') ? await response.json() : {}
  if (!response.ok) throw new Failure(answer.error ?? 'server_error', answer.error_description ?? `${url} answers ${response.status}`)
  return answer
}

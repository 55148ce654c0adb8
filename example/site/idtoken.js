// What makes an ID token believable, in the order of Core §3.1.3.7.

import { Failure } from './failure.js'
import { decode, halfHash, verify } from './jws.js'

/** How far this computer's clock may be off, in seconds. */
const leeway = 30

/** Resolves to what was checked, in words, or fails at the first thing amiss. */
export async function checkIDToken({ idToken, accessToken, metadata, client, keys, nonce, now = Date.now() / 1000 }) {
  await verify(idToken, keys, metadata.id_token_signing_alg_values_supported)
  const { header, payload: claims } = decode(idToken)
  must(claims.iss === metadata.issuer, 'it is of another issuer')
  must([claims.aud].flat().length === 1 && [claims.aud].flat()[0] === client.id, 'it is for another application')
  must(claims.exp > now - leeway, 'it has expired')
  must(claims.iat < now + leeway, 'it is of the future')
  must(claims.nonce === nonce, 'it answers another request')
  must(claims.at_hash === (await halfHash(header.alg, accessToken)), 'it came with another access token')
  return [
    ['Signature', `${header.alg}, by a key that the provider publishes`],
    ['Issuer', `${claims.iss}, also in the answer itself`],
    ['Audience', `made for ${client.id}, this page`],
    ['Nonce', 'answers the request of this tab'],
    ['Access token', 'the one it came with'],
    ['Time', 'made now, not expired'],
  ]
}

function must(holds, detail) {
  if (!holds) throw new Failure('token_not_believed', detail)
}

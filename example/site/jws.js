// JSON Web Signatures in compact form, RFC 7515, verified by the browser itself.

import { Failure } from './failure.js'
import { base64url, bytesOf, sha } from './pkce.js'

/** What WebCrypto calls the algorithms of RFC 7518 §3.1 and RFC 8037. */
const algorithms = new Map()
for (const bits of [256, 384, 512]) {
  const hash = `SHA-${bits}`
  algorithms.set(`RS${bits}`, { kty: 'RSA', hash, name: 'RSASSA-PKCS1-v1_5' })
  algorithms.set(`PS${bits}`, { kty: 'RSA', hash, name: 'RSA-PSS', saltLength: bits / 8 })
  algorithms.set(`ES${bits}`, { kty: 'EC', hash, name: 'ECDSA', namedCurve: bits === 512 ? 'P-521' : `P-${bits}` })
}
algorithms.set('EdDSA', { kty: 'OKP', hash: 'SHA-512', name: 'Ed25519' })

/** The parts of a token, none of them believed yet. */
export function decode(jwt) {
  const parts = jwt.split('.')
  if (parts.length !== 3) throw new Failure('token_not_believed', 'it does not have three parts')
  const [header, payload] = parts.slice(0, 2).map((part) => JSON.parse(new TextDecoder().decode(bytesOf(part))))
  return { header, payload, parts }
}

/**
 * Verifies the signature with the key that the header names. The algorithms
 * that may be are the provider's to say, never the token's: RFC 8725 §3.1.
 */
export async function verify(jwt, keys, allowed) {
  const { header, parts } = decode(jwt)
  const algorithm = allowed.includes(header.alg) && algorithms.get(header.alg)
  if (!algorithm) throw new Failure('token_not_believed', `its algorithm is ${header.alg}`)
  const jwk = keys.find((key) => key.kid === header.kid && key.kty === algorithm.kty)
  if (!jwk) throw new Failure('token_not_believed', 'its key is not published')
  const key = await crypto.subtle.importKey('jwk', { ...jwk, use: undefined, key_ops: undefined, alg: undefined }, algorithm, false, ['verify'])
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`)
  if (!(await crypto.subtle.verify(algorithm, key, bytesOf(parts[2]), signed))) {
    throw new Failure('token_not_believed', 'its signature is wrong')
  }
}

/** The half of a hash that at_hash and c_hash hold, Core §3.1.3.6. */
export async function halfHash(alg, text) {
  const hash = await sha(algorithms.get(alg).hash, text)
  return base64url(hash.subarray(0, hash.length / 2))
}

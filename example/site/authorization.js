// The authorization request and its response, OpenID Connect Core 1.0 §3.1.2.

import { Failure, failureOf } from './failure.js'
import { challenge, random } from './pkce.js'

/**
 * A request for a code. What comes back is believed only together with the
 * transaction, which says what was asked.
 */
export async function request(metadata, client, extra = {}) {
  const transaction = { state: random(), nonce: random(), verifier: random() }
  const url = new URL(metadata.authorization_endpoint)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectURI,
    scope: client.scope,
    state: transaction.state,
    nonce: transaction.nonce,
    code_challenge: await challenge(transaction.verifier),
    code_challenge_method: 'S256',
    ...extra,
  })
  return { url, transaction }
}

/** Whether a URL carries the answer to an authorization request. */
export function isResponse(url, client) {
  return url.origin + url.pathname === client.redirectURI
}

/** The code that a response carries in its query or its fragment. */
export function codeOf(url, metadata, transaction) {
  const response = new URLSearchParams(url.search || url.hash.slice(1))
  // RFC 6749 §10.12: else anybody could sign this person in as somebody else.
  if (!transaction || response.get('state') !== transaction.state) throw new Failure('answer_not_asked_for')
  // RFC 9207 §2.4: else another provider could pass its answer off as this one's.
  if (response.get('iss') !== metadata.issuer) throw new Failure('answer_of_another', `the answer is of ${response.get('iss')}`)
  if (response.has('error')) throw new Failure(response.get('error'), response.get('error_description') ?? '')
  if (!response.get('code')) throw new Failure('answer_without_code')
  return response.get('code')
}

/**
 * Asks without showing anything, and without a hidden frame: site and provider
 * share an origin, so fetch may follow the redirect and see where it ends.
 */
export async function askSilently(metadata, client) {
  const { url, transaction } = await request(metadata, client, { prompt: 'none' })
  const response = await fetch(url, { credentials: 'same-origin', cache: 'no-store' })
  const landed = new URL(response.url)
  if (!isResponse(landed, client)) throw new Failure('invalid_request', `the provider answers ${response.status}`)
  return { code: codeOf(landed, metadata, transaction), transaction }
}

/** Leaves the page for the provider; the answer comes to the redirect URI. */
export async function askByRedirect(metadata, client, extra = {}) {
  const { url, transaction } = await request(metadata, client, extra)
  remember(transaction)
  location.assign(url)
}

// What was asked must outlive the way to the provider and back, in this tab and
// nowhere else. Tokens need not: they stay in memory, where a script that gets
// at the storage later finds none, and after a reload the page asks silently.
const key = 'transaction'

function remember(transaction) {
  sessionStorage.setItem(key, JSON.stringify(transaction))
}

/** The transaction that was remembered, once: its answer is good once too. */
export function recall() {
  const stored = sessionStorage.getItem(key)
  sessionStorage.removeItem(key)
  try {
    return JSON.parse(stored)
  } catch (error) {
    throw failureOf(error)
  }
}

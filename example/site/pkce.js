// Proof Key for Code Exchange, RFC 7636: whoever takes the code out of the
// redirect cannot redeem it, for want of the verifier that stays in this tab.

/** 32 random bytes in 43 characters, RFC 7636 §4.1; also for state and nonce. */
export function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}

/** The S256 challenge of a verifier, RFC 7636 §4.2. */
export async function challenge(verifier) {
  return base64url(await sha('SHA-256', verifier))
}

/** The hash of a text in ASCII, as bytes. */
export async function sha(algorithm, text) {
  return new Uint8Array(await crypto.subtle.digest(algorithm, new TextEncoder().encode(text)))
}

export function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export function bytesOf(encoded) {
  const binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

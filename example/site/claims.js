// Claims in words, for people who have not read the standards.

const meanings = {
  iss: 'Issuer: who made this token.',
  sub: 'Subject: the person, by a name that never changes.',
  aud: 'Audience: whom the token is for.',
  azp: 'The application that asked for it.',
  client_id: 'The application that it was issued to.',
  exp: 'Expires',
  iat: 'Made',
  nbf: 'Not to be used before',
  auth_time: 'Signed in',
  nonce: 'What this tab sent along, so that no other answer fits.',
  at_hash: 'Half a hash of the access token: the two belong together.',
  jti: 'A number of its own.',
  scope: 'What was granted.',
  grant_ref: 'Where UserInfo finds the grant.',
  acr: 'How thoroughly the person was authenticated.',
  amr: 'By what means.',
  alg: 'Algorithm of the signature.',
  kid: 'Which of the published keys signed.',
  typ: 'What kind of token.',
}

const instants = new Set(['exp', 'iat', 'nbf', 'auth_time'])

export const isInstant = (name, value) => instants.has(name) && typeof value === 'number'

export const meaning = (name) => meanings[name] ?? ''

/** A claim's value as text. */
export function text(value) {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]]
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** Seconds since 1970 as "in 59 minutes". */
export function fromNow(seconds, now = Date.now() / 1000) {
  const distance = Math.round(seconds - now)
  const [unit, length] = units.find(([, length]) => Math.abs(distance) >= length) ?? units.at(-1)
  return relative.format(Math.round(distance / length), unit)
}

/** The same as a time of day. */
export const timeOfDay = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB')

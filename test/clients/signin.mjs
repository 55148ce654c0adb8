// A real Caddy that signs people in by basic_auth, and the browser they sit at.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { binary, client, methods, startCaddy } from './caddy.mjs'

const password = randomBytes(24).toString('base64url')

/** Who can sign in. Nobody has a password like the others, and no name. */
export const alice = { user: 'alice', password }
export const nobody = { user: 'nobody', password }
export const aliceClaims = { sub: 'alice', name: 'Älice & “Bob”', email: 'alice@example.com', email_verified: true, groups: ['staff', 'admin'] }

/** Starts the Caddy that CADDY names as a provider, one issuer for each algorithm. */
export async function startProvider() {
  const hash = execFileSync(binary(), ['hash-password', '--bcrypt-cost', '4'], { input: password, encoding: 'utf8' }).trim()
  const caddy = await startCaddy((issuer, alg) => `
${issuer} {
	log
	oidc_token {
		issuer      ${issuer}
		signing_alg ${alg}
		${methods.map(client).join('')}
		authorize {
			basic_auth {
				alice  ${hash}
				nobody ${hash}
			}
			map {http.auth.user.id} {subject} {name} {email} {groups} {
				alice   alice "${aliceClaims.name}" ${aliceClaims.email} "staff, admin"
				default ""    ""                    ""                   ""
			}
		}
		identity {
			subject {subject}
			claim name {name}
			claim email {email}
			claim email_verified true
			claim groups {groups} list
			acr urn:example:password
			amr pwd
		}
	}
	respond 404
}`)
  caddy.keep('password', password)
  return caddy
}

/** Opens a URL as a browser does that knows a password, or none, and follows no redirect. */
export async function open(url, person) {
  const headers = person ? { authorization: `Basic ${Buffer.from(`${person.user}:${person.password}`).toString('base64')}` } : {}
  const response = await fetch(url, { headers, redirect: 'manual' })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, location: response.headers.get('location') }
}

/** Where the provider sends the browser back to: the only redirect, with 303. */
export async function signIn(caddy, url, person) {
  const { status, text, location } = await open(url, person)
  if (status !== 303) throw new Error(`the authorization endpoint answers ${status} ${text}`)
  const callback = new URL(location)
  caddy.keep('code', new URLSearchParams(callback.search || callback.hash.slice(1)).get('code') ?? randomBytes(32).toString('hex'))
  return callback
}

/** The request that a form_post page submits by itself. */
export function submitted(page) {
  const unescape = (s) => s.replace(/&(#\d+|#x[0-9a-f]+|amp|lt|gt|quot);/gi, (_, name) =>
    ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name] ?? String.fromCodePoint(name[1] === 'x' ? parseInt(name.slice(2), 16) : Number(name.slice(1))))
  const attribute = (tag, name) => unescape(tag.match(new RegExp(`\\b${name}="([^"]*)"`))[1])
  const form = page.match(/<form[^>]*>/)[0]
  const fields = [...page.matchAll(/<input type="hidden"[^>]*>/g)].map(([input]) => [attribute(input, 'name'), attribute(input, 'value')])
  return new Request(attribute(form, 'action'), { method: attribute(form, 'method').toUpperCase(), body: new URLSearchParams(fields) })
}

// A real Caddy with this plugin: one issuer for each algorithm, with a client
// for each authentication method.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export const algorithms = ['RS256', 'ES256', 'EdDSA']
export const methods = ['client_secret_basic', 'client_secret_post', 'none']
export const redirectURI = 'https://app.example/callback'
export const redirectURIWithQuery = `${redirectURI}?from=a+b&to=%2F`

/** Every issuer's client for a method is named after it. */
export const clientId = (method) => `${method}:app`

/** The Caddy that CADDY names. */
export function binary() {
  if (!process.env.CADDY) throw new Error('CADDY must name a Caddy that has this plugin: go build -o /some/caddy ./example')
  return process.env.CADDY
}

/** Starts it with one site for each algorithm: (issuer, algorithm) => Caddyfile. */
export async function startCaddy(site = mintingSite) {
  const dir = await mkdtemp(join(tmpdir(), 'oidc-token-clients-'))
  const secret = randomBytes(32).toString('base64url')
  const issuers = new Map()
  for (const alg of algorithms) issuers.set(alg, `http://127.0.0.1:${await freePort()}`)
  await writeFile(join(dir, 'Caddyfile'), caddyfile(dir, issuers, site))

  const caddy = new Caddy(dir, issuers, secret)
  await caddy.run()
  return caddy
}

class Caddy {
  constructor(dir, issuers, secret) {
    this.dir = dir
    this.issuers = issuers
    this.secret = secret
    this.socket = join(dir, 'admin.sock')
    this.output = ''
    this.confidential = new Map([[secret, 'client secret']])
  }

  async run() {
    this.process = spawn(binary(), ['run', '--config', join(this.dir, 'Caddyfile'), '--adapter', 'caddyfile'], {
      env: { ...process.env, HOME: this.dir, XDG_DATA_HOME: this.dir, XDG_CONFIG_HOME: this.dir, CLIENT_SECRET: this.secret },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.process.stderr.on('data', (data) => { this.output += data })
    const deadline = Date.now() + 30_000
    for (const issuer of this.issuers.values()) {
      while (!(await answers(`${issuer}/.well-known/jwks.json`))) {
        if (this.process.exitCode !== null || Date.now() > deadline) {
          await this.stop()
          throw new Error(`Caddy does not answer:\n${this.output}`)
        }
        await pause(50)
      }
    }
  }

  /** Asks for a code as a login application does, over the admin API. */
  mint(code) {
    const body = JSON.stringify(code)
    return new Promise((resolve, reject) => {
      const r = request({
        socketPath: this.socket,
        method: 'POST',
        path: '/oidc_token/codes',
        headers: { Host: '127.0.0.1', 'Content-Type': 'application/json' },
      }, async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        if (response.statusCode !== 201) return reject(new Error(`minting a code: ${response.statusCode} ${text}`))
        const { code } = JSON.parse(text)
        this.keep('code', code)
        resolve(code)
      })
      r.on('error', reject)
      r.end(body)
    })
  }

  /** Remembers a value that must not be logged. */
  keep(what, value) {
    this.confidential.set(value, what)
    return value
  }

  /** Every confidential value in what Caddy wrote, by its kind. */
  leaks() {
    return [...this.confidential].filter(([value]) => this.output.includes(value)).map(([, what]) => what)
  }

  async stop() {
    if (this.process.exitCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve))
      this.process.kill('SIGTERM')
      await ended
    }
    await rm(this.dir, { recursive: true, force: true })
  }
}

const caddyfile = (dir, issuers, site) => `{
	admin           unix/${join(dir, 'admin.sock')}
	persist_config  off
	storage         file_system ${join(dir, 'storage')}
	log {
		level DEBUG
	}
}
${[...issuers].map(([alg, issuer]) => site(issuer, alg)).join('\n')}
`

/** A provider whose login application has codes minted. */
const mintingSite = (issuer, alg) => `
${issuer} {
	log
	oidc_token {
		issuer                 ${issuer}
		signing_alg            ${alg}
		authorization_endpoint https://login.example/authorize
		${methods.map(client).join('')}
	}
	respond 404
}`

export const client = (method) => `
		client ${clientId(method)} {
			token_endpoint_auth_method ${method}
			redirect_uris              ${redirectURI} ${redirectURIWithQuery}
			${method === 'none' ? '' : 'client_secret {env.CLIENT_SECRET}'}
		}`

async function answers(url) {
  try {
    const response = await fetch(url)
    await response.body.cancel()
    return response.status === 200
  } catch {
    return false
  }
}

/** A port below those that systems take for outgoing connections. */
function freePort(tries = 100) {
  return new Promise((resolve, reject) => {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer().once('error', (e) => (tries > 0 ? resolve(freePort(tries - 1)) : reject(e)))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)))
  })
}

/** What the login application knows of the person. */
export const person = {
  subject: 'alice',
  scope: 'openid profile email',
  auth_time: Math.floor(Date.now() / 1000) - 5,
  acr: 'urn:example:bronze',
  amr: ['pwd', 'otp'],
  claims: { name: 'Älice & “Bob”', email: 'alice@example.com', email_verified: true, updated_at: 1700000000, phone_number: '+1 555' },
}

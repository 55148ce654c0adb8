// The example as `go run ./example` runs it, with a folder of its own.

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export const site = 'http://localhost:8480'
export const secondApplication = 'http://localhost:8482'

/** Starts the program that EXAMPLE names, and reads from its output who may sign in. */
export async function startExample() {
  const binary = process.env.EXAMPLE
  if (!binary) throw new Error('EXAMPLE must name the built example: go build -o /some/example ./example')
  const folder = await mkdtemp(join(tmpdir(), 'oidc-token-browser-'))
  const example = new Example(folder)
  await example.run(binary)
  return example
}

class Example {
  constructor(folder) {
    this.folder = folder
    this.site = join(folder, 'caddy-oidc-token-example', 'site')
    this.printed = ''
    this.log = ''
  }

  async run(binary) {
    this.process = spawn(binary, [], {
      env: { ...process.env, HOME: this.folder, XDG_CACHE_HOME: this.folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout.on('data', (data) => { this.printed += data })
    this.process.stderr.on('data', (data) => { this.log += data })
    const deadline = Date.now() + 30_000
    while (!(await answers(`${site}/.well-known/jwks.json`))) {
      if (this.process.exitCode !== null || Date.now() > deadline) {
        await this.stop()
        throw new Error(`the example does not answer:\n${this.printed}${this.log}`)
      }
      await pause(50)
    }
    const [, username, password] = this.printed.match(/name +(\S+)\n +password +(\S+)/)
    this.person = { username, password, origin: site }
  }

  /** How often something was logged. */
  logged(event) {
    return this.log.split('\n').filter((line) => line.includes(`"event":"${event}"`)).length
  }

  async stop() {
    if (this.process.exitCode === null) {
      const ended = new Promise((resolve) => this.process.once('exit', resolve))
      this.process.kill('SIGTERM')
      await ended
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function answers(url) {
  try {
    const response = await fetch(url)
    await response.body.cancel()
    return response.status === 200
  } catch {
    return false
  }
}

// A person at a browser: Chromium without a window, with a profile of its own.
// What a browser complains about to nobody, this one remembers.

import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'
import { secondApplication, site } from './example.mjs'

export function startBrowser() {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [] // Chromium refuses to sandbox for root
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args })
}

/** Opens a page for somebody who answers the password prompt with credentials, or who cancels it. */
export async function visit(browser, credentials, options = {}) {
  const context = await browser.newContext({ httpCredentials: credentials, ...options })
  context.setDefaultTimeout(10_000)
  return new Visitor(context, await context.newPage())
}

class Visitor {
  constructor(context, page) {
    this.context = context
    this.page = page
    this.complaints = []
    this.responses = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('request', (request) => {
      if (![site, secondApplication].includes(new URL(request.url()).origin)) this.complaints.push(`a request to ${request.url()}`)
    })
    page.on('response', (response) => this.responses.push(response))
  }

  /** Opens the first application and waits until it knows whether somebody is signed in. */
  async open(path = '/') {
    await this.page.goto(site + path)
    await this.settled()
  }

  async settled() {
    await this.page.waitForSelector('main[aria-busy=false]')
  }

  /** Clicks and waits for where it leads: the site again, after a way to the provider. */
  async clickThrough(name) {
    await Promise.all([this.page.waitForURL(`${site}/`, { waitUntil: 'commit' }), this.button(name).click()])
    await this.page.waitForSelector('#signed-in:not([hidden]), [role=alert]')
    await this.settled()
  }

  async signIn() {
    await this.open()
    await this.clickThrough('Sign in')
    assert.equal(await this.alert(), '', 'signing in')
    await this.page.getByRole('heading', { level: 1, name: 'Alice Liddell' }).waitFor()
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true })
  }

  async alert() {
    const alert = this.page.getByRole('alert')
    return (await alert.isVisible()) ? alert.innerText() : ''
  }

  status() {
    return this.page.locator('#status').innerText()
  }

  heading() {
    return this.page.locator('h1:visible').innerText()
  }

  /** The claims of a list, by name, as shown. */
  claims(list) {
    return this.page.locator(list).evaluate((dl) => Object.fromEntries([...dl.querySelectorAll('dt')].map((dt) => [
      dt.textContent, dt.nextElementSibling.querySelector('.value').textContent,
    ])))
  }

  /** How often a password was asked for. */
  prompts() {
    return this.responses.filter((response) => response.status() === 401).length
  }

  /** Fails if the browser complained of anything else than what is expected. */
  wantNoComplaints(...expected) {
    assert.deepEqual(this.complaints.filter((text) => !expected.some((pattern) => pattern.test(text))), [])
  }
}

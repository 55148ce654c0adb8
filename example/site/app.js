// A single-page application that signs people in with authorization code and
// PKCE, RFC 9700 §2.1.1, in the order in which it happens.

import { askByRedirect, askSilently, codeOf, isResponse, recall } from './authorization.js'
import { failureOf } from './failure.js'
import { checkIDToken } from './idtoken.js'
import { decode } from './jws.js'
import * as page from './page.js'
import { discover, publicKeys, redeem, userInfo } from './provider.js'

const client = { id: 'spa', redirectURI: `${location.origin}/callback`, scope: 'openid profile email' }
const provider = () => discover(location.origin)

// Who has signed out does not want to be signed in by a reload.
const signedOut = 'signed-out'

/** The code that the shown tokens were redeemed with, spent. */
let spent

/** Trades a code for tokens, believes them once they are checked, shows them. */
async function signIn(metadata, code, transaction) {
  spent = { code, verifier: transaction.verifier }
  const tokens = await redeem(metadata, client, code, transaction.verifier)
  const [idToken, accessToken] = [tokens.id_token, tokens.access_token]
  const keys = await publicKeys(metadata)
  const checks = await checkIDToken({ idToken, accessToken, metadata, client, keys, nonce: transaction.nonce })
  const claims = await userInfo(metadata, accessToken, decode(idToken).payload.sub)
  sessionStorage.removeItem(signedOut)
  page.showPerson({ idToken, accessToken, userInfo: claims, checks })
}

/** The answer to a sign-in is in this page's URL. */
async function answered() {
  const url = new URL(location.href)
  history.replaceState(null, '', '/') // neither history nor bookmarks keep a code
  const transaction = recall()
  const metadata = await provider()
  await signIn(metadata, codeOf(url, metadata, transaction), transaction)
  page.show('signed-in', { focus: true })
  page.say('You are signed in.')
}

/** Whether somebody is signed in already, found out without a question. */
async function welcomed() {
  const metadata = await provider()
  const { code, transaction } = await askSilently(metadata, client)
  await signIn(metadata, code, transaction)
  page.show('signed-in')
}

async function start() {
  if (isResponse(location, client)) return await answered()
  if (sessionStorage.getItem(signedOut)) return page.show('signed-out')
  try {
    await welcomed()
  } catch (error) {
    if (failureOf(error).code !== 'login_required') throw error
    page.show('signed-out')
  }
}

async function askAgain() {
  await welcomed()
  page.say('You are still signed in: these tokens are new, and no question was asked.')
}

async function redeemAgain() {
  try {
    await redeem(await provider(), client, spent.code, spent.verifier)
    page.say('The code was redeemed twice. That must not happen.')
  } catch (error) {
    if (failureOf(error).code !== 'invalid_grant') throw error
    page.say('Refused with invalid_grant, as it must be: a code is good once. The terminal shows the attempt as code_replayed.')
  }
}

function signOut() {
  sessionStorage.setItem(signedOut, 'yes')
  spent = undefined
  page.forgetPerson()
  page.show('signed-out', { focus: true })
  page.say('You are signed out of this page, and it has forgotten the tokens. Your browser remembers the password until you close it.')
}

/** Runs one thing at a time, and says so where it fails. */
async function attempt(action, otherwise) {
  page.busy(true)
  try {
    await action()
  } catch (error) {
    const failure = failureOf(error)
    if (otherwise) page.show(otherwise)
    page.complain(failure)
  } finally {
    page.busy(false)
  }
}

const byRedirect = (extra) => async () => await askByRedirect(await provider(), client, extra)

page.on('sign-in', () => attempt(byRedirect()))
page.on('sign-in-fragment', () => attempt(byRedirect({ response_mode: 'fragment' })))
page.on('ask-first', () => attempt(byRedirect({ prompt: 'none' })))
page.on('ask-by-redirect', () => attempt(byRedirect({ prompt: 'none' })))
page.on('ask-again', () => attempt(askAgain))
page.on('redeem-again', () => attempt(redeemAgain))
page.on('sign-out', signOut)
// A page that comes back out of the browser's memory is as it was left: waiting.
addEventListener('pageshow', (event) => { if (event.persisted) page.busy(false) })

await attempt(start, 'signed-out')

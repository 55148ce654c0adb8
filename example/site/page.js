// What the page shows. Everything from outside is put in as text, never as HTML.

import { fromNow, isInstant, meaning, text, timeOfDay } from './claims.js'
import { decode } from './jws.js'

const $ = (id) => document.getElementById(id)

/** Makes an element; strings among its children become text. */
function element(name, properties = {}, ...children) {
  const e = Object.assign(document.createElement(name), properties)
  e.append(...children)
  return e
}

/** Where people look, and so where they are told what comes of it. */
let status = $('status')

/** Runs listener at a press of a button; the news that comes of it is told beside that button. */
export function on(id, listener) {
  const button = $(id)
  button.addEventListener('click', () => {
    if (button.matches('[aria-disabled=true]')) return
    hush()
    status = button.closest('li, section, body').querySelector('[role=status]')
    listener()
  })
}

/** Shows one of the page's views, and takes the focus there where people are led to it. */
export function show(view, { focus = false } = {}) {
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== view
  $('sign-out').hidden = view !== 'signed-in'
  if (focus) $(view).querySelector('h1').focus()
}

/** Takes back what was told before: said again, the same words would be no news to a screen reader. */
function hush() {
  for (const e of document.querySelectorAll('[role=status]')) e.textContent = ''
  for (const e of document.querySelectorAll('[role=alert]')) e.remove()
}

/** Tells people what happened, screen readers included. */
export function say(sentence) {
  status.textContent = sentence
  bringIntoView(status)
}

/** Tells people what went wrong, in words, with the protocol's own for who wants them. */
export function complain(failure) {
  const code = element('p', { className: 'fine' }, element('code', {}, failure.code))
  if (failure.detail) code.append(`: ${failure.detail}`)
  const alert = element('div', { className: 'notice wrong' }, element('p', {}, failure.words), code)
  alert.setAttribute('role', 'alert')
  status.after(alert)
  bringIntoView(alert)
}

// Whether it glides there, the style sheet says: some people feel sick of it.
const bringIntoView = (e) => e.scrollIntoView({ block: 'nearest' })

/**
 * Has buttons do nothing while something is under way: each press is one
 * request. They are not disabled, which would take the focus from the one that
 * was pressed.
 */
export function busy(yes) {
  for (const button of document.querySelectorAll('button')) button.setAttribute('aria-disabled', yes)
  document.querySelector('main').setAttribute('aria-busy', yes)
}

export function showPerson({ idToken, accessToken, userInfo, checks }) {
  const { payload: claims } = decode(idToken)
  $('name').textContent = claims.name ?? claims.sub
  $('initial').textContent = (claims.name ?? claims.sub).slice(0, 1).toUpperCase()
  $('email').textContent = claims.email ?? ''
  $('groups').replaceChildren(...(claims.groups ?? []).map((group) => element('li', {}, group)))
  $('since').replaceChildren('Signed in ', instant(claims.auth_time))
  $('checks').replaceChildren(...checks.flatMap(([what, how]) => [element('dt', {}, what), element('dd', {}, how)]))
  $('id-token').replaceChildren(...token(idToken))
  $('access-token').replaceChildren(...token(accessToken))
  $('userinfo').replaceChildren(claimList(userInfo))
}

/** Leaves nothing of a person in the page. */
export function forgetPerson() {
  for (const id of ['name', 'initial', 'email', 'groups', 'since', 'checks', 'id-token', 'access-token', 'userinfo']) $(id).replaceChildren()
}

function token(jwt) {
  const { header, payload, parts } = decode(jwt)
  const encoded = parts.flatMap((part, n) => [n ? '.' : '', element('span', { className: `part-${n}` }, part)])
  return [
    element('h3', {}, 'Header'), claimList(header),
    element('h3', {}, 'Claims'), claimList(payload),
    element('details', {}, element('summary', {}, 'As it was sent'), element('p', { className: 'jwt' }, ...encoded)),
  ]
}

function claimList(claims) {
  const rows = Object.entries(claims).flatMap(([name, value]) => [
    element('dt', {}, element('code', {}, name)),
    element('dd', {}, element('span', { className: 'value' }, text(value)), ...explained(name, value)),
  ])
  return element('dl', { className: 'claims' }, ...rows)
}

function explained(name, value) {
  const words = meaning(name)
  if (!words) return []
  return [element('span', { className: 'fine' }, words, ...(isInstant(name, value) ? [' ', instant(value), '.'] : []))]
}

function instant(seconds) {
  const e = element('time', { dateTime: new Date(seconds * 1000).toISOString() })
  e.dataset.seconds = seconds
  tell(e)
  return e
}

const tell = (e) => { e.textContent = `${fromNow(Number(e.dataset.seconds))}, at ${timeOfDay(Number(e.dataset.seconds))}` }

setInterval(() => document.querySelectorAll('time').forEach(tell), 10_000)

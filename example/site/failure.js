// What goes wrong in a sign-in: a code for the program, and what to tell people.

/** The codes that this page gives itself; the others are the protocol's own. */
const words = {
  login_required: 'Nobody is signed in here yet.',
  access_denied: 'The sign-in was refused.',
  consent_required: 'The provider cannot ask for consent.',
  account_selection_required: 'The provider cannot offer a choice of accounts.',
  invalid_grant: 'The code has expired or was used already: it is good once, and for a minute. Sign in again to get another.',
  invalid_client: 'The provider does not know this page.',
  unauthorized_client: 'The provider does not let this page sign people in.',
  invalid_scope: 'The provider grants nothing of what this page asked for.',
  invalid_request: 'The provider did not accept this page’s request.',
  unsupported_response_type: 'The provider does not answer with a code.',
  temporarily_unavailable: 'The provider cannot answer just now. Try again in a moment.',
  server_error: 'The provider failed. Its log says why.',
  unreachable: 'The provider does not answer. Is the example still running?',
  answer_not_asked_for: 'This answer belongs to no question of this tab: the page was reloaded, or somebody else made the link.',
  answer_of_another: 'The answer names another provider than the one that was asked.',
  answer_without_code: 'The provider’s answer has neither a code nor an error.',
  token_not_believed: 'The token does not hold what it must, so nobody is signed in by it.',
}

export class Failure extends Error {
  constructor(code, detail = '', options = {}) {
    super(`${code}: ${detail}`, options)
    this.code = code
    this.detail = detail
  }

  get words() {
    return words[this.code] ?? 'Something went wrong in this page.'
  }
}

/** The same for errors of the browser and of this program. */
export function failureOf(error) {
  if (error instanceof Failure) return error
  // A network fault is a TypeError without any more to tell it by.
  if (error instanceof TypeError) return new Failure('unreachable', error.message, { cause: error })
  return new Failure('unexpected', error.message, { cause: error })
}

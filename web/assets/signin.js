// Signing in: a panel to paste a token into, in the page or, in the middle of a step, in front of
// it.

import { el, setText } from './dom.js';
import { t } from './i18n.js';
import { accessToken, arrive, person, signIn, signOut } from './session.js';

function form(id, onDone) {
  const problem = el('p', { class: 'problem', id: `${id}-problem`, role: 'alert' });
  const input = el('textarea', {
    id, rows: 3, required: true, spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off',
    'aria-describedby': `${id}-source ${id}-problem`,
  });
  const submit = (event) => {
    event.preventDefault();
    if (signIn(input.value)) return onDone();
    setText(problem, t('signInBad'));
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  };
  return el('form', { class: 'signin', novalidate: true, on: { submit } },
    el('label', { for: id }, t('signInLabel')),
    input,
    problem,
    el('p', { class: 'soft', id: `${id}-source` }, t('signInSource')),
    el('button', { class: 'primary', type: 'submit' }, t('signIn')));
}

/** The panel in a page; nothing if somebody is signed in. */
export function signInPanel() {
  if (person()) return null;
  return el('section', { class: 'card', 'aria-labelledby': 'signin-title' },
    el('h2', { id: 'signin-title' }, t('signInTitle')),
    form('signin-token', arrive));
}

let asked = null;

/**
 * Asks for a sign-in in front of the page; resolves to whether there is one then. Concurrent
 * callers share the answer.
 */
export function askToSignIn(reason, signal) {
  if (signal.aborted) return Promise.resolve(false);
  // Not the dialog of a screen or view that was left, which is closing.
  if (asked && !asked.signal.aborted) return asked.answer;
  const mine = { signal, answer: dialogAnswer(reason, signal).finally(() => { if (asked === mine) asked = null; }) };
  asked = mine;
  return mine.answer;
}

function dialogAnswer(reason, signal) {
  return new Promise((resolve) => {
    const dialog = el('dialog', { class: 'dialog', 'aria-labelledby': 'signin-dialog-title' },
      el('h2', { id: 'signin-dialog-title' }, t('signInTitle')),
      reason && el('p', { class: 'notice' }, reason),
      form('signin-dialog-token', () => dialog.close()),
      el('button', { class: 'quiet', type: 'button', on: { click: () => dialog.close() } }, t('close')));
    const done = () => {
      signal.removeEventListener('abort', done);
      dialog.remove();
      // The pressed button may be gone, since the page now knows the person.
      if (document.activeElement === document.body) document.getElementById('main').focus();
      resolve(person() !== null);
    };
    dialog.addEventListener('close', done);
    signal.addEventListener('abort', done);
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Thrown when a required sign-in is declined. */
export class NotSignedIn extends Error {}

/**
 * Makes a call that needs a sign-in: asks for one if there is none, and again if it has expired
 * meanwhile; `onAsk` is called just before.
 */
export async function signedIn(call, signal, onAsk = () => {}) {
  for (let reason = null; ; reason = t('signInEnded')) {
    if (!person()) {
      onAsk();
      if (!(await askToSignIn(reason, signal))) throw new NotSignedIn();
    }
    const sent = accessToken();
    try {
      return await call();
    } catch (error) {
      if (error.status !== 401) throw error;
      // Another request may have noticed it earlier, and the person may have signed in since.
      if (accessToken() === sent) signOut({ forget: false });
    }
  }
}

// The person. We have no sign-in of our own: an access token comes from the site's identity
// provider in the address's fragment, which no server and no log sees, or is pasted. It is kept for
// this tab only.

import { forgetPlaces, recall, remember } from './memory.js';

const KEY = 'tacos.access_token';
/**
 * Dispatches `change` when somebody signs in or out, `arrival` when the screen must be opened anew
 * for a new person.
 */
export const session = new EventTarget();

/**
 * The claims of a token, unchecked: the gateway checks it with every request. Null if it is not
 * one.
 */
export function claims(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const value = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value.sub === 'string' && value.sub ? value : null;
  } catch {
    return null;
  }
}

export const accessToken = () => recall('sessionStorage', KEY);

/** The person's name, null if nobody is signed in. */
export const person = () => claims(accessToken() ?? '')?.sub ?? null;

/** Milliseconds until the sign-in expires, Infinity if it does not say when. */
export function signInEndsIn() {
  const exp = claims(accessToken() ?? '')?.exp;
  return typeof exp === 'number' ? exp * 1000 - Date.now() : Infinity;
}

/** Whether the text was a token. A terminal breaks a token into lines, which no header accepts. */
export function signIn(token) {
  const text = token.replace(/\s+/g, '');
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) || !claims(text)) return false;
  remember('sessionStorage', KEY, text);
  session.dispatchEvent(new Event('change'));
  return true;
}

/** `forget`: the person signs out; otherwise the token has expired and the places in line stay. */
export function signOut({ forget }) {
  remember('sessionStorage', KEY, null);
  if (forget) forgetPlaces();
  session.dispatchEvent(new Event('change'));
}

/** A new person may already have something here: opens the screen anew for them. */
export const arrive = () => session.dispatchEvent(new Event('arrival'));

/** Takes the token from `#access_token=…`; returns whether there was one. */
export function takeFromAddress() {
  if (!location.hash.startsWith('#access_token=')) return false;
  const fragment = new URLSearchParams(location.hash.slice(1));
  // Before anything else, so that it is neither copied with the address nor kept in the history.
  history.replaceState(null, '', `${location.pathname}#/`);
  signIn(fragment.get('access_token'));
  return true;
}

// The page: its frame, and the screen for each address.

import { button, el, setText } from './dom.js';
import { choose, currentLanguage, language, otherLanguage, t } from './i18n.js';
import { keepPlaces } from './places.js';
import { reservationScreen } from './reservation.js';
import { calm, trouble } from './retry.js';
import { Screen, heading } from './screen.js';
import { arrive, person, session, signOut, takeFromAddress } from './session.js';
import { showScreen } from './show.js';
import { showsScreen } from './shows.js';
import { NotSignedIn, askToSignIn } from './signin.js';

const main = document.getElementById('main');
let screen = null;
let connection = null;

function route() {
  const [, place, id] = location.hash.match(/^#\/(show|reservation)\/([^/]+)$/) ?? [];
  try {
    if (place === 'show') return [showScreen, decodeURIComponent(id)];
    if (place === 'reservation') return [reservationScreen, decodeURIComponent(id)];
  } catch {
    // The address was cut off in the middle of a character: treat it as empty.
  }
  return [showsScreen];
}

async function open() {
  screen?.stop();
  calm();
  const mine = new Screen(main);
  screen = mine;
  const [run, ...about] = route();
  try {
    await run(mine, ...about);
  } catch (error) {
    if (mine.signal.aborted) return;
    if (!(error instanceof NotSignedIn)) console.error(error);
    failed(mine, error);
  }
}

function failed(mine, error) {
  const [title, text] = error instanceof NotSignedIn ? ['signInTitle', 'signInSource']
    : error.status === 404 ? ['missing', 'missingText'] : ['wrong', 'wrongText'];
  mine.show(() => t(title), () => [
    heading(t(title)),
    el('p', {}, t(text)),
    el('div', { class: 'actions' },
      button(t('again'), open),
      el('a', { class: 'secondary', href: '#/' }, t('toShows'))),
  ]);
}

function frame() {
  document.documentElement.lang = currentLanguage();
  setText(document.getElementById('skip'), t('skip'));
  setText(document.getElementById('foot'), t('foot'));
  const toggle = document.getElementById('language');
  setText(toggle, t('otherLanguage'));
  toggle.lang = otherLanguage();
  const who = person();
  document.getElementById('who').replaceChildren(...(who
    ? [el('span', { class: 'person' }, t('signedInAs', who)),
      el('button', { class: 'quiet', type: 'button', on: { click: leave } }, t('signOut'))]
    : [el('button', { class: 'quiet', type: 'button', on: { click: enter } }, t('signIn'))]));
  const lines = connection ? [t(connection), screen?.keepsPlace && t('placeKept')] : [];
  setText(document.getElementById('trouble'), lines.filter(Boolean).join(' '));
}

async function enter() {
  const before = person();
  await askToSignIn(null, screen.signal);
  if (person() !== before) arrive();
}

function leave() {
  signOut({ forget: true });
  if (location.hash !== '#/') location.hash = '#/';
}

document.getElementById('skip').addEventListener('click', (event) => {
  // The fragment is the address of the screen, so the link must not set it.
  event.preventDefault();
  main.focus();
});
document.getElementById('language').addEventListener('click', () => choose(otherLanguage()));
language.addEventListener('change', () => { frame(); screen?.redraw(); });
session.addEventListener('change', () => {
  frame();
  screen?.redraw();
  // The sign-in panel is gone, and the focus with it.
  if (document.activeElement === document.body) screen?.focusHeading();
});
session.addEventListener('arrival', () => open());
trouble.addEventListener('change', ({ detail }) => { connection = detail; frame(); });
window.addEventListener('hashchange', () => {
  // replaceState causes no event, so the screen is opened here in both cases.
  takeFromAddress();
  open();
});

takeFromAddress();
frame();
open();
keepPlaces();

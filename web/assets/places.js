// Keeps the places in line whose screen is not open by polling for them, on every screen and also
// in a hidden page, and shows a turn on every screen. Also checks whether held seats are still
// held.

import * as api from './api.js';
import { sayNow } from './announce.js';
import { pause, whenVisible } from './clock.js';
import { el } from './dom.js';
import { language, t } from './i18n.js';
import { changePlace, forgetTicket, placeIn, places, placesOf } from './memory.js';
import { untilAnswered } from './retry.js';
import { callFromElsewhere } from './screen.js';
import { arrive, person, session } from './session.js';

const ROUND_MS = 5_000;
/** A longer gap between two polls is too near to the silence that counts as absence (30 s). */
const MOST_MS = 20_000;
/** How long a turn lasts if the gateway does not say. */
const TURN_SECONDS = 15;

/**
 * When to poll again. The gateway says when; a hidden page polls less often but never stops: a
 * silence of 30 s counts as absence, and a turn that comes meanwhile goes to the next person. Near
 * the turn, which lasts only seconds, even a hidden page polls every 5 s.
 */
export function pollDelay(status, isHidden) {
  const asked = Math.min(Math.max(status.poll_after_ms ?? 2_000, 250), MOST_MS);
  if (!isHidden) return asked;
  const isNear = status.eta_sec !== null && status.eta_sec < 60;
  return Math.max(asked, isNear ? 5_000 : 10_000);
}

/** One entry for each screen that polls for itself. */
const attended = new Set();
/** The current turns by show: `{ name, until }`, the latter by `performance.now()`. */
const turns = new Map();
/** When to poll for a ticket again, by `performance.now()`. */
const due = new Map();
let written = '[]';
let wake = () => {};

const isAttended = (show) => Array.from(attended).some((entry) => entry.show === show);
const lockName = (show, who) => `tacos.attended.${JSON.stringify([show, who])}`;

/** Runs `body`, which polls for a show's place itself: meanwhile nothing else does, in any tab. */
export async function attending(show, body) {
  const entry = { show };
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  attended.add(entry);
  // The lock tells other tabs. Without locks, such as on a connection that is not secure, they poll
  // too.
  navigator.locks?.request(lockName(show, person()), { mode: 'shared' }, () => released).catch(() => {});
  prune();
  try {
    return await body();
  } finally {
    attended.delete(entry);
    release();
    wake();
  }
}

/** The names of all locks of all tabs. */
async function locks() {
  try {
    const { held } = await navigator.locks.query();
    return new Set(held.map(({ name }) => name));
  } catch {
    return new Set();
  }
}

/**
 * The places to poll for, including those whose owner's sign-in has expired or is in another tab:
 * polling needs none. A used pass looks like a turn and is not one.
 */
const unattended = () => places().filter(({ show, ticket, isUsed }) => ticket && !isUsed && !isAttended(show));
const isHopeless = ({ ticket }) => due.get(ticket) === Infinity;

/** Polls for as long as the page is open. */
export async function keepPlaces() {
  language.addEventListener('change', write);
  session.addEventListener('change', () => prune());
  // Another tab may have joined a line, or may have been the one that kept a place.
  window.addEventListener('storage', () => wake());
  // The clock stood still while the device slept.
  const anew = () => { if (!document.hidden) due.clear(); };
  document.addEventListener('visibilitychange', anew);
  window.addEventListener('online', anew);
  for (;;) {
    while (document.hidden && unattended().every(isHopeless)) await somethingToDo();
    const next = Math.min(...due.values()) - performance.now();
    await pause(Math.min(Math.max(next, 250), ROUND_MS * (0.9 + Math.random() / 5)));
    try {
      await round();
    } catch (error) {
      console.error(error);
    }
  }
}

/** Resolves when the page becomes visible or a place changes. */
function somethingToDo() {
  const waiting = new AbortController();
  return new Promise((resolve) => {
    wake = resolve;
    whenVisible(waiting.signal).then(resolve, () => {});
  }).finally(() => waiting.abort());
}

async function round() {
  const elsewhere = unattended().length ? await locks() : new Set();
  const mine = unattended().filter((place) => !elsewhere.has(lockName(place.show, place.person)));
  for (const ticket of due.keys()) if (!mine.some((place) => place.ticket === ticket)) due.delete(ticket);
  prune(mine);
  await Promise.all(mine.filter(({ ticket }) => !(due.get(ticket) > performance.now())).map(askAbout));
}

async function askAbout({ show, ticket, name, person: who }) {
  let status;
  try {
    status = await api.queueStatus(ticket);
  } catch (error) {
    if (error.status !== 410) {
      // The place's own screen handles an unknown ticket by joining anew; any other trouble passes.
      const ms = error.isTemporary ? Math.min(Math.max(error.retryAfterMs ?? 0, ROUND_MS), MOST_MS) : Infinity;
      due.set(ticket, performance.now() + ms);
      return;
    }
    status = { status: 'expired' };
  }
  // Meanwhile its screen may have opened, or the person may have left or joined anew.
  if (isAttended(show) || placeIn(show, who).ticket !== ticket) return;
  due.set(ticket, performance.now() + pollDelay(status, true));
  if (status.status === 'left' || status.status === 'expired') forgetTicket(show, who);
  if (!status.ready_for_entry && status.status !== 'ready') {
    turns.delete(show);
  } else {
    // Shown to nobody else; its owner sees it while signed out, too.
    if (person() !== null && person() !== who) return;
    if (!turns.has(show)) sayNow(t('turnOf', name));
    // A little longer than the turn: the gateway decides when it is over, as long as it answers.
    turns.set(show, { name, until: performance.now() + (status.ready_for_sec ?? TURN_SECONDS) * 1_000 + ROUND_MS });
  }
  write();
}

/** Removes the turns that are over. */
function prune(asked = unattended()) {
  const isWhose = ({ person: who }) => person() === null || person() === who;
  for (const [show, { until }] of turns) {
    if (until < performance.now() || !asked.some((place) => place.show === show && isWhose(place))) turns.delete(show);
  }
  write();
}

/** The line on top of every screen, and the screens' titles. */
function write() {
  const lines = Array.from(turns, ([show, { name }]) => [`#/show/${encodeURIComponent(show)}`, t('turnOf', name)]);
  callFromElsewhere(turns.size ? `★ ${t('yourTurn')}` : null);
  // Only on a change: the link may have the focus or be about to be pressed.
  if (JSON.stringify(lines) === written) return;
  written = JSON.stringify(lines);
  const region = document.getElementById('turn');
  const isFocused = region.contains(document.activeElement);
  region.replaceChildren(...lines.map(([href, text]) => el('a', { href, on: { click } }, text)));
  if (isFocused) document.getElementById('main').focus();

  // Opening the current address causes no event.
  function click({ currentTarget }) {
    if (currentTarget.hash === location.hash) arrive();
  }
}

/**
 * The id of this show's reservation that is still to be paid, or null; forgets one that is over.
 * Asks once: an error counts as no answer.
 */
export async function heldReservation(show, signal, { isAskedOnce = false } = {}) {
  const who = person();
  const { reservation } = placeIn(show, who);
  if (!reservation) return null;
  try {
    const look = () => api.reservation(reservation, signal);
    const { status } = await (isAskedOnce ? look() : untilAnswered(look, signal));
    if (status === 'HOLD') return reservation;
  } catch (error) {
    if (signal.aborted) throw error;
    // A person whose sign-in has expired still has the reservation.
    if (error.status !== 403 && error.status !== 404) return null;
  }
  // Another tab may have made another one meanwhile.
  if (placeIn(show, who).reservation === reservation) changePlace(show, who, { reservation: undefined });
  return null;
}

/** Checks once everything that this person is recorded to hold. */
export async function lookAtHeld(signal) {
  await Promise.all(placesOf(person()).map(({ show }) => heldReservation(show, signal, { isAskedOnce: true })));
}

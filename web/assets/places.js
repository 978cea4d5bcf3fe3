// The places in line whose screen is not open: they are kept by asking for them, whatever else is on the page and also
// while nobody looks at it, and a turn is told wherever one is. And what is held: whether it still is.

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
/** Longer than this between two questions is too near to the silence that counts as absence (30 s). */
const MOST_MS = 20_000;
/** How long a turn lasts if the gateway does not say. */
const TURN_SECONDS = 15;

/**
 * When to ask again. The gateway says; a hidden page asks less often, but never falls silent: who is silent for 30 s
 * counts as absent, and a turn that comes meanwhile goes to the next. Near the turn, which is good for seconds only,
 * even a hidden page asks every 5 s.
 */
export function pollDelay(status, isHidden) {
  const told = Math.min(Math.max(status.poll_after_ms ?? 2_000, 250), MOST_MS);
  if (!isHidden) return told;
  const isNear = status.eta_sec !== null && status.eta_sec < 60;
  return Math.max(told, isNear ? 5_000 : 10_000);
}

/** One entry for each screen that asks for itself. */
const attended = new Set();
/** The turns that have come: of a show, `{ name, until }`, the latter by `performance.now()`. */
const turns = new Map();
/** When to ask for a ticket again, by `performance.now()`. */
const due = new Map();
let written = '[]';
let wake = () => {};

const isAttended = (show) => Array.from(attended).some((entry) => entry.show === show);
const lockName = (show, who) => `tacos.attended.${JSON.stringify([show, who])}`;

/** Runs `body`, which asks for the place in line of a show by itself: nobody else does meanwhile, in no tab. */
export async function attending(show, body) {
  const entry = { show };
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  attended.add(entry);
  // What other tabs see of it. Without it, such as where the connection is not secure, they ask as well.
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

/** The names of all locks, of all tabs. */
async function locks() {
  try {
    const { held } = await navigator.locks.query();
    return new Set(held.map(({ name }) => name));
  } catch {
    return new Set();
  }
}

/**
 * The places to ask for. Whose sign-in has run out, or is in another tab, is in line all the same: asking needs none. A
 * pass that was used looks like a turn, and is none.
 */
const unattended = () => places().filter(({ show, ticket, isUsed }) => ticket && !isUsed && !isAttended(show));
const isHopeless = ({ ticket }) => due.get(ticket) === Infinity;

/** Asks for as long as the page is there. */
export async function keepPlaces() {
  language.addEventListener('change', write);
  session.addEventListener('change', () => prune());
  // Another tab may have joined a line, or have been what kept a place.
  window.addEventListener('storage', () => wake());
  // A device that slept has a clock that stood still.
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

/** Until the page is shown, or something has changed about the places. */
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
      // A ticket that is not recognised is for its own screen, which joins anew; anything else passes.
      const ms = error.isTemporary ? Math.min(Math.max(error.retryAfterMs ?? 0, ROUND_MS), MOST_MS) : Infinity;
      due.set(ticket, performance.now() + ms);
      return;
    }
    status = { status: 'expired' };
  }
  // Meanwhile its screen may have been opened, or the person have gone or joined anew.
  if (isAttended(show) || placeIn(show, who).ticket !== ticket) return;
  due.set(ticket, performance.now() + pollDelay(status, true));
  if (status.status === 'left' || status.status === 'expired') forgetTicket(show, who);
  if (!status.ready_for_entry && status.status !== 'ready') {
    turns.delete(show);
  } else {
    // To nobody else; who is not signed in just now is told all the same.
    if (person() !== null && person() !== who) return;
    if (!turns.has(show)) sayNow(t('turnOf', name));
    // A little longer than it lasts: that it is over is the gateway's to say, as long as it can be asked.
    turns.set(show, { name, until: performance.now() + (status.ready_for_sec ?? TURN_SECONDS) * 1_000 + ROUND_MS });
  }
  write();
}

/** Ends the turns that are none any more. */
function prune(asked = unattended()) {
  const isWhose = ({ person: who }) => person() === null || person() === who;
  for (const [show, { until }] of turns) {
    if (until < performance.now() || !asked.some((place) => place.show === show && isWhose(place))) turns.delete(show);
  }
  write();
}

/** The line on top of every screen, and every screen's title. */
function write() {
  const lines = Array.from(turns, ([show, { name }]) => [`#/show/${encodeURIComponent(show)}`, t('turnOf', name)]);
  callFromElsewhere(turns.size ? `★ ${t('yourTurn')}` : null);
  // Only what has changed: the link may have the focus, or be about to be pressed.
  if (JSON.stringify(lines) === written) return;
  written = JSON.stringify(lines);
  const region = document.getElementById('turn');
  const isFocused = region.contains(document.activeElement);
  region.replaceChildren(...lines.map(([href, text]) => el('a', { href, on: { click } }, text)));
  if (isFocused) document.getElementById('main').focus();

  // An address that is open already makes no event.
  function click({ currentTarget }) {
    if (currentTarget.hash === location.hash) arrive();
  }
}

/**
 * The reservation of this show that is still to be paid for, if there is one: its id. One that is over is forgotten. Asked
 * for once only, trouble is as good as no answer.
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
    // Whose sign-in has run out still has the reservation.
    if (error.status !== 403 && error.status !== 404) return null;
  }
  // Another may have been made meanwhile, in another tab.
  if (placeIn(show, who).reservation === reservation) changePlace(show, who, { reservation: undefined });
  return null;
}

/** Looks once at everything that this person is said to hold. */
export async function lookAtHeld(signal) {
  await Promise.all(placesOf(person()).map(({ show }) => heldReservation(show, signal, { isAskedOnce: true })));
}

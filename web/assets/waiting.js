// Waiting in line: from a ticket to a pass.

import * as api from './api.js';
import { say, sayNow } from './announce.js';
import { countDown, pause } from './clock.js';
import { button, el, setAttribute, setText } from './dom.js';
import { duration, eta, format, t } from './i18n.js';
import { changePlace, forgetTicket, placeIn } from './memory.js';
import { attending, pollDelay } from './places.js';
import { calm, untilAnswered } from './retry.js';
import { ask, heading } from './screen.js';
import { arrive, person, signInEndsIn } from './session.js';
import { NotSignedIn, askToSignIn, signedIn } from './signin.js';

const SAY_EVERY_MS = 30_000;
/** Lets the first announcement, the reason for this screen, be heard to its end. */
const HEARD_MS = 5_000;
const FULL_MS = 5_000;
/** A waiting person may not be looking: announced early enough to be noticed. */
const SIGN_IN_SOON_MS = 10 * 60_000;

/**
 * Joins, with as many tries as it takes. The ticket is then in memory; a returned string is the key
 * of a text that says why not.
 */
export async function join(screen, hall) {
  const show = hall.event_id;
  let isFull = false;
  const text = () => (isFull ? t('lineFull') : t('joining'));
  screen.show(() => hall.name, () => [heading(hall.name), el('p', { role: 'status' }, text())]);
  const explains = (error) => {
    // A gateway in trouble asks for a second, a full line for longer.
    if (error.status !== 503 || !(error.retryAfterMs >= FULL_MS)) return false;
    if (!isFull) { isFull = true; screen.redraw(); }
    return true;
  };
  try {
    const attempt = () => signedIn(() => {
      // One key for one wish to join, also after a reload: the first answer may have been lost.
      const key = placeIn(show, person()).joinKey ?? api.newKey();
      changePlace(show, person(), { joinKey: key });
      return api.join(show, key, screen.signal);
    }, screen.signal);
    const answer = await untilAnswered(attempt, screen.signal, explains);
    const position = Math.max(1, answer.position_hint);
    changePlace(show, person(), {
      ticket: answer.waiting_token, name: hall.name, firstPosition: position, position, joinKey: undefined,
    });
    return null;
  } catch (error) {
    if (screen.signal.aborted) throw error;
    changePlace(show, person(), { joinKey: undefined });
    if (error.status === 403) return 'lineClosed';
    throw error;
  }
}

/**
 * Waits for the person's turn and enters. Resolves to `{ pass, until }`, the latter by
 * `performance.now()`, with `isUsed` if it is the pass of a reservation already made; or to `{
 * notice }`, the key of a text, with `isLost` if the ticket was not recognised. `notice` is shown
 * meanwhile.
 */
export const waitInLine = (screen, hall, notice) => attending(hall.event_id, () => wait(screen, hall, notice));

async function wait(screen, hall, notice) {
  const show = hall.event_id;
  const who = person();
  const { ticket } = placeIn(show, who);
  const forget = () => forgetTicket(show, who);

  const leaving = new AbortController();
  let hasLeft = false;
  screen.signal.addEventListener('abort', () => leaving.abort(screen.signal.reason));
  const onLeave = async () => {
    if (!(await ask(t('leaveSure'), t('leave'), t('stay'), screen.stepSignal))) return;
    hasLeft = true;
    leaving.abort(new DOMException('left the line', 'AbortError'));
  };
  const onSignIn = async () => {
    await askToSignIn(null, screen.stepSignal);
    // Another person has another place here, or none.
    if (!screen.signal.aborted && person() !== who) arrive();
  };
  const view = waitingView(screen, hall, placeIn(show, who), notice, { onLeave, onSignIn });
  const title = () => (view.position ? `${t('place', format(view.position))} · ${hall.name}` : hall.name);
  screen.show(title, view.draw, { keepsPlace: true });
  if (notice) say(t(notice));

  try {
    for (;;) {
      const status = await untilAnswered(() => api.queueStatus(ticket, leaving.signal), leaving.signal);
      if (status.status === 'left' || status.status === 'expired') {
        forget();
        return { notice: status.status === 'left' ? 'lineLeft' : 'ticketOver' };
      }
      if (status.ready_for_entry || status.status === 'ready') {
        const entered = await enter(screen, ticket, who, leaving.signal);
        if (entered?.pass) {
          const isUsed = entered.pass === placeIn(show, who).spent;
          if (!isUsed) announceTurn(screen);
          return { ...entered, isUsed };
        }
        if (entered) { forget(); return entered; }
        continue;
      }
      view.update(status);
      changePlace(show, who, { position: view.position, firstPosition: view.first });
      screen.name(document.hidden && view.signInProblem ? `! ${t('signInAgain')}` : null);
      await pause(pollDelay(status, document.hidden), leaving.signal);
    }
  } catch (error) {
    if (hasLeft) {
      forget();
      // Errors of the last poll do not matter any more.
      calm();
      screen.show(() => hall.name, () => [heading(hall.name)]);
      // A failed leave needs no retry: a silent person soon stands in nobody's way.
      await api.leave(ticket, screen.signal).catch(() => {});
      return { notice: 'lineLeft' };
    }
    // Entering needs a sign-in, but the place stays for when the person signs in.
    if (screen.signal.aborted || error instanceof NotSignedIn) throw error;
    forget();
    if (error.status === 410) return { notice: 'ticketOver' };
    if ([400, 401, 404].includes(error.status)) return { notice: 'ticketLost', isLost: true };
    throw error;
  }
}

/** The title is the only visible part of a hidden page. */
function announceTurn(screen) {
  sayNow(t('yourTurnNow'));
  if (!document.hidden) return;
  screen.name(`★ ${t('yourTurn')}`);
  const shown = () => {
    if (document.hidden) return;
    document.removeEventListener('visibilitychange', shown);
    screen.name(null);
  };
  document.addEventListener('visibilitychange', shown);
}

/** The pass; null if the turn has not quite come, `{ notice }` if it has gone. */
async function enter(screen, ticket, who, signal) {
  const attempt = () => signedIn(() => {
    // Another person has signed in, and the ticket is not theirs: this ends here, with its
    // requests.
    if (person() !== who) arrive();
    return api.enter(ticket, signal);
  }, screen.signal, () => announceTurn(screen));
  try {
    const answer = await untilAnswered(attempt, signal);
    // Counted from the answer, which may have taken long; the seconds are whole, rounded down.
    return { pass: answer.reservation_token, until: performance.now() + answer.ttl_sec * 1000 };
  } catch (error) {
    if (error.status === 403 && error.code === 'NOT_READY') {
      await pause(error.retryAfterMs ?? 1_000, signal);
      return null;
    }
    if (error.status === 403 || error.status === 410) return { notice: 'ticketOver' };
    throw error;
  }
}

/** A used pass is returned again until it expires: waits for that, and says so. */
export async function sitOutUsedPass(screen, hall, until) {
  let text = el('p', { role: 'timer' });
  let seconds = 0;
  screen.show(() => hall.name, () => {
    text = el('p', { role: 'timer' }, t('passUsed', seconds));
    return [heading(hall.name), text];
  });
  await new Promise((resolve, reject) => {
    const signal = screen.stepSignal;
    signal.addEventListener('abort', () => reject(signal.reason));
    // One second more, because the gateway's clock decides.
    countDown(() => until + 1_000, signal, (left) => { seconds = left; setText(text, t('passUsed', seconds)); }, resolve);
  });
}

/** The key of a text about the sign-in, which the person will need at their turn, or null. */
function problemOfSignIn() {
  const left = person() ? signInEndsIn() : 0;
  if (left >= SIGN_IN_SOON_MS) return null;
  return left > 0 ? 'signInEndsSoon' : 'signInOver';
}

function waitingView(screen, hall, place, notice, { onLeave, onSignIn }) {
  let parts = null;
  let status = null;
  let saidAt = notice ? performance.now() - SAY_EVERY_MS + HEARD_MS : -Infinity;
  let saidOfSignIn = null;
  let drawnOfSignIn = null;

  const view = {
    /**
     * Only falls: a rising number would alarm for no reason, because nobody is ever put behind a
     * newcomer.
     */
    position: place.position ?? null,
    first: place.firstPosition ?? null,
    signInProblem: null,

    update(news) {
      status = news;
      view.position = Math.max(1, Math.min(view.position ?? Infinity, news.position));
      view.first = Math.max(view.first ?? 0, view.position);
      view.signInProblem = problemOfSignIn();
      // Nobody sees it: when the page is visible again, the next answer comes at once and draws.
      if (!document.hidden) {
        if (view.signInProblem === drawnOfSignIn) write();
        else screen.redraw();
      }
      const words = [];
      if (view.signInProblem !== saidOfSignIn) {
        saidOfSignIn = view.signInProblem;
        if (saidOfSignIn) words.push(t(saidOfSignIn));
      }
      const now = performance.now();
      if (now - saidAt >= SAY_EVERY_MS) {
        saidAt = now;
        words.push(t('said', format(view.position), eta(news.eta_sec, news.paused)));
      }
      if (words.length) say(words.join(' '));
    },

    draw() {
      const cell = (label, value) => el('div', {}, el('dt', {}, label), value);
      parts = {
        place: el('strong', {}),
        ahead: el('p', { class: 'ahead' }),
        eta: el('dd', {}),
        waited: el('dd', {}),
        fill: el('span', { class: 'fill' }),
        bar: el('div', { class: 'bar', role: 'progressbar', 'aria-label': t('progress'), 'aria-valuemin': 0, 'aria-valuemax': 100 }),
        paused: el('p', { class: 'notice', role: 'status' }),
        message: el('p', { class: 'notice', role: 'status' }),
      };
      parts.bar.append(parts.fill);
      drawnOfSignIn = problemOfSignIn();
      write();
      return [
        heading(hall.name, el('p', { class: 'soft' }, t('waiting'))),
        notice && el('p', { class: 'notice', role: 'status' }, t(notice)),
        drawnOfSignIn && el('div', { class: 'notice' },
          el('p', {}, t(drawnOfSignIn)),
          el('div', { class: 'actions' }, button(t('signInAgain'), onSignIn, { class: 'secondary' }))),
        el('section', { class: 'ticket', 'aria-label': t('waiting') },
          el('div', { class: 'ticket-main' },
            el('p', { class: 'label' }, t('yourPlace')),
            el('p', { class: 'place' }, parts.place, el('small', {}, t('placeUnit'))),
            parts.ahead,
            parts.bar),
          el('dl', { class: 'ticket-stub' }, cell(t('etaLabel'), parts.eta), cell(t('waited'), parts.waited))),
        parts.paused,
        parts.message,
        el('p', { class: 'soft' }, t('keepOpen')),
        el('div', { class: 'actions' }, button(t('leave'), onLeave, { class: 'secondary' })),
      ];
    },
  };

  function write() {
    if (!parts || view.position === null) return;
    setText(parts.place, format(view.position));
    setText(parts.ahead, t('ahead', Math.max(0, view.position - 1)));
    setText(parts.eta, status ? eta(status.eta_sec, status.paused) : '…');
    setText(parts.waited, status ? duration(status.waiting_time ?? 0) : '…');
    setText(parts.paused, status?.paused ? t('paused') : '');
    setText(parts.message, status?.message ? `${t('notice')}: ${status.message}` : '');
    // The share of the people in front that is gone; the first place has somebody in front as
    // well.
    const share = view.first ? 1 - view.position / (view.first + 1) : 0;
    setAttribute(parts.bar, 'aria-valuenow', String(Math.round(share * 100)));
    parts.fill.style.transform = `scaleX(${share.toFixed(4)})`;
  }

  return view;
}

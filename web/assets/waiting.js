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
/** So that what comes first, which is why one is here, is heard to its end. */
const HEARD_MS = 5_000;
const FULL_MS = 5_000;
/** Who waits may not be looking: it is said early enough to be seen by the way. */
const SIGN_IN_SOON_MS = 10 * 60_000;

/** Joins, however often it takes. The ticket is then in memory; a string is why not: the key of a text. */
export async function join(screen, hall) {
  const show = hall.event_id;
  let isFull = false;
  const text = () => (isFull ? t('lineFull') : t('joining'));
  screen.show(() => hall.name, () => [heading(hall.name), el('p', { role: 'status' }, text())]);
  const explains = (error) => {
    // A gateway in trouble asks for a second, a line that is full for longer.
    if (error.status !== 503 || !(error.retryAfterMs >= FULL_MS)) return false;
    if (!isFull) { isFull = true; screen.redraw(); }
    return true;
  };
  try {
    const attempt = () => signedIn(() => {
      // One key for one wish to join, also after a reload: the first answer may have been lost on its way.
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
 * Waits until it is this person's turn and enters. Resolves to `{ pass, until }`, the latter by `performance.now()`, with
 * `isUsed` if it is the pass of a reservation that was made; or to `{ notice }`, the key of a text, with `isLost` if the
 * ticket was not recognised at all. `notice` is what is to be told meanwhile.
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
    // Somebody else has another place here, or none.
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
      // What was wrong with asking for the place is of no interest any more.
      calm();
      screen.show(() => hall.name, () => [heading(hall.name)]);
      // A wish that fails is granted a little later: who is silent is out of everybody's way.
      await api.leave(ticket, screen.signal).catch(() => {});
      return { notice: 'lineLeft' };
    }
    // Without a sign-in there is no entering, but the place is still there for whoever signs in.
    if (screen.signal.aborted || error instanceof NotSignedIn) throw error;
    forget();
    if (error.status === 410) return { notice: 'ticketOver' };
    if ([400, 401, 404].includes(error.status)) return { notice: 'ticketLost', isLost: true };
    throw error;
  }
}

/** The title is all that is seen of a hidden page. */
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
    // Somebody else has signed in, and the ticket is not theirs: this ends here, and with it whatever it asks for.
    if (person() !== who) arrive();
    return api.enter(ticket, signal);
  }, screen.signal, () => announceTurn(screen));
  try {
    const answer = await untilAnswered(attempt, signal);
    // From the answer on, which may have been long in coming; the seconds are whole ones, rounded down.
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

/** Who has used a pass gets the same one again until its time is over: waits for that, and says so. */
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
    // A second more: it is the gateway's clock that counts.
    countDown(() => until + 1_000, signal, (left) => { seconds = left; setText(text, t('passUsed', seconds)); }, resolve);
  });
}

/** What is to be told of the sign-in, which is needed when the turn has come: the key of a text, or null. */
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
    /** Falls only: a number that rose would be an alarm about nothing, as nobody is ever put behind somebody new. */
    position: place.position ?? null,
    first: place.firstPosition ?? null,
    signInProblem: null,

    update(news) {
      status = news;
      view.position = Math.max(1, Math.min(view.position ?? Infinity, news.position));
      view.first = Math.max(view.first ?? 0, view.position);
      view.signInProblem = problemOfSignIn();
      // Nobody sees it: the next answer after the page is shown again comes at once and draws.
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
    // People who were in front and are not any more, of all who were: the first place is behind somebody as well.
    const share = view.first ? 1 - view.position / (view.first + 1) : 0;
    setAttribute(parts.bar, 'aria-valuenow', String(Math.round(share * 100)));
    parts.fill.style.transform = `scaleX(${share.toFixed(4)})`;
  }

  return view;
}

// A reservation: the held seats and the time left, the payment, and the outcome.

import * as api from './api.js';
import { say, sayNow } from './announce.js';
import { countDown, minutesAndSeconds, pause, whenVisible } from './clock.js';
import { button, el, setText } from './dom.js';
import { money, t } from './i18n.js';
import { changePlace, paymentOf, placeIn, rememberPayment } from './memory.js';
import { untilAnswered } from './retry.js';
import { ask, heading, loading, missing } from './screen.js';
import { person } from './session.js';
import { signedIn } from './signin.js';

/**
 * How the simulated payment goes: the provider decides as asked, when asked. A late provider is
 * asked late, and one that never answers is never asked.
 */
const OUTCOMES = {
  approve: { scenario: 'APPROVE', action: 'approve', afterMs: 0 },
  decline: { scenario: 'FAIL', action: 'fail', afterMs: 0 },
  delay: { scenario: 'DELAY', action: 'approve', afterMs: 5_000 },
  timeout: { scenario: 'TIMEOUT', action: null, afterMs: 0 },
};
const SAID_AT = [30, 10];
const LOOK_EVERY_MS = 1_000;
/** How long to wait for the names, while the hold is running. */
const NAMES_MS = 1_500;
/** How long after a decline the seats are usually returned; an earlier payment would be useless. */
const AFTER_DECLINE_MS = 6_000;

/** Calls `body` whenever the page becomes visible, for as long as the view is open. */
function whenShown(step, call) {
  const look = () => { if (!document.hidden) call(); };
  document.addEventListener('visibilitychange', look);
  step.addEventListener('abort', () => document.removeEventListener('visibilitychange', look));
}

export async function reservationScreen(screen, id) {
  const { signal } = screen;
  screen.show(() => t('pay'), loading);

  const state = { reservation: null, hall: null, deadline: 0, total: 0, problem: null };
  try {
    await look();
  } catch (error) {
    if (error.status !== 404 && error.status !== 403) throw error;
    return screen.show(() => t('missing'), () => missing(t('missingReservation')));
  }
  // Nobody else may see it.
  const who = person();
  // Only for names, so neither an error nor a slow answer stops the screen.
  const named = api.availability(state.reservation.event_id, signal).then((hall) => { state.hall = hall; }, () => {});
  await Promise.race([named, pause(NAMES_MS, signal)]);

  while (state.reservation.status === 'HOLD') {
    const payment = paymentOf(id, who);
    if (payment) await followPayment(payment);
    else await form();
  }
  // This may be the address of an old reservation, while another one is held.
  const show = state.reservation.event_id;
  if (placeIn(show, who).reservation === id) changePlace(show, who, { reservation: undefined });
  result();
  return undefined;

  /** The reservation as it is now. */
  async function look() {
    let sent = 0;
    state.reservation = await untilAnswered(() => signedIn(() => {
      sent = performance.now();
      return api.reservation(id, signal);
    }, signal), signal);
    // Measured from before the request was sent, so the shown time is never longer than the real
    // one.
    state.deadline = sent + (state.reservation.hold_expires_in_ms ?? 0);
    state.total = Math.max(state.total, state.reservation.hold_expires_in_ms ?? 0);
  }

  /** Only if it is still the current payment: another tab may have ended it and begun the next. */
  function keep(payment) {
    if (paymentOf(id, who)?.key === payment.key) rememberPayment(id, who, payment);
  }

  function drop(payment) {
    if (paymentOf(id, who)?.key === payment.key) rememberPayment(id, who, null);
  }

  /**
   * Asks how to pay; resolves when a payment began, here or in another tab, or the time is over.
   */
  function form() {
    return new Promise((resolve, reject) => {
      let outcome = 'approve';
      const clock = clockView();
      screen.show(() => t('pay'), () => [
        heading(t('pay'), showName()),
        ticket(clock.draw()),
        state.problem && el('p', { class: 'problem', role: 'alert' }, t(state.problem)),
        el('form', { class: 'card', on: { submit } },
          el('fieldset', {},
            el('legend', {}, t('outcome')),
            Object.keys(OUTCOMES).map((key) => el('label', { class: 'choice' },
              el('input', {
                type: 'radio', name: 'outcome', value: key, checked: key === outcome, on: { change: () => { outcome = key; } },
              }),
              el('span', {}, el('strong', {}, t(key)), el('span', { class: 'soft' }, t(`${key}Text`)))))),
          el('button', { class: 'primary wide', type: 'submit' }, t('payNow', sum()))),
        cancelButton(resolve, reject),
      ]);
      whenShown(screen.stepSignal, () => { if (paymentOf(id, who)) resolve(); });
      clock.run(() => whenOver().then(resolve, reject));

      function submit(event) {
        event.preventDefault();
        state.problem = null;
        // Stored before anything is sent, so that a reload or another tab continues this payment
        // and never makes a second one.
        if (!paymentOf(id, who)) rememberPayment(id, who, { outcome, key: api.newKey() });
        resolve();
      }
    });
  }

  /** Completes a payment from wherever it stopped. */
  async function followPayment(payment) {
    const clock = clockView();
    const text = () => (payment.isApproved ? t('settling') : t('paying'));
    let done;
    const stopped = new Promise((resolve, reject) => { done = { resolve, reject }; });
    screen.show(text, () => [
      heading(text(), showName()),
      ticket(clock.draw()),
      el('p', { class: 'soft' }, t('payingText')),
      cancelButton(done.resolve, done.reject),
    ]);
    clock.run();
    try {
      await Promise.race([stopped, settle(payment, screen.stepSignal)]);
    } catch (error) {
      if (signal.aborted || !error.status || error.status === 401) throw error;
      // Refused for good, such as for an expired hold: the reservation shows why.
      drop(payment);
      state.problem = 'payRefused';
      await look();
    }
  }

  async function settle(payment, step) {
    const { scenario, action, afterMs } = OUTCOMES[payment.outcome] ?? OUTCOMES.approve;
    const { reservation } = state;
    if (!payment.intent) {
      const body = { reservation_id: id, amount: reservation.total_price, currency: reservation.currency, scenario };
      const made = await untilAnswered(() => signedIn(() => api.paymentIntent(body, payment.key, step), signal), step);
      payment.intent = made.payment_intent_id;
      keep(payment);
    }
    if (action && !payment.isAsked) {
      if (afterMs) await pause(afterMs, step, { wakes: false });
      await untilAnswered(() => signedIn(() => api.processPayment(payment.intent, action, step), signal), step);
      payment.isAsked = true;
      keep(payment);
    }
    let declinedAt = null;
    for (;;) {
      await look();
      if (state.reservation.status !== 'HOLD') return;
      const { status } = await untilAnswered(() => signedIn(() => api.payment(payment.intent, step), signal), step);
      if (status === 'COMPLETED' && !payment.isApproved) {
        payment.isApproved = true;
        screen.redraw();
      }
      if (status === 'FAILED' || status === 'CANCELLED' || status === 'EXPIRED') {
        if (declinedAt === null) {
          declinedAt = performance.now();
          payment.isDeclined = true;
          keep(payment);
          say(t('declined'));
        } else if (performance.now() - declinedAt > AFTER_DECLINE_MS) {
          // Still held: another payment, with another intent and other keys, is possible.
          drop(payment);
          state.problem = 'declinedHeld';
          return;
        }
      }
      await pause(declinedAt === null ? LOOK_EVERY_MS : LOOK_EVERY_MS / 2, step);
      // A hidden page continues the payment and asks for the result when it is visible again.
      await whenVisible(step);
    }
  }

  /** The hold is over by our clock; the platform's clock ends the reservation. */
  async function whenOver() {
    screen.show(() => t('pay'), () => [heading(t('checking'), showName())]);
    for (;;) {
      await look();
      if (state.reservation.status !== 'HOLD' || state.reservation.hold_expires_in_ms > 0) return;
      await pause(LOOK_EVERY_MS, signal);
    }
  }

  function cancelButton(resolve, reject) {
    const key = api.newKey();
    const press = async () => {
      if (!(await ask(t('cancelSure'), t('cancel'), t('keep'), screen.stepSignal))) return;
      try {
        await untilAnswered(() => signedIn(() => api.cancel(id, key, signal), signal), signal);
      } catch (error) {
        if (signal.aborted || !error.status) return reject(error);
        // Paid or over at the same moment: the reservation shows which.
        state.problem = 'cancelLate';
      }
      look().then(resolve, reject);
    };
    return el('div', { class: 'actions' }, button(t('cancel'), press, { class: 'secondary' }));
  }

  /** The hold's countdown: digits, and a shrinking bar. */
  function clockView() {
    let digits = null;
    let fill = null;
    let seconds = 0;
    const write = () => {
      setText(digits, minutesAndSeconds(seconds));
      digits.parentElement?.classList.toggle('late', seconds <= 10);
      fill.style.transform = `scaleX(${Math.min(1, (seconds * 1000) / (state.total || 1)).toFixed(4)})`;
    };
    return {
      draw() {
        digits = el('strong', { class: 'digits', role: 'timer' });
        fill = el('span', { class: 'fill' });
        const view = el('div', { class: 'hold' },
          el('p', { class: 'label' }, t('holdLeft')), digits,
          el('div', { class: 'bar', 'aria-hidden': 'true' }, fill));
        seconds = Math.max(0, Math.ceil((state.deadline - performance.now()) / 1000));
        write();
        return view;
      },
      run(over) {
        // Only for this view: a late answer must not end the next one.
        const step = screen.stepSignal;
        countDown(() => state.deadline, step, (left) => {
          seconds = left;
          write();
          if (SAID_AT.includes(left)) sayNow(t('holdSpoken', left));
        }, over);
        // The clock stood still while the device slept: announce the time again.
        const again = () => { if (!step.aborted && state.reservation.status !== 'HOLD') over?.(); };
        whenShown(step, () => look().then(again, () => {}));
      },
    };
  }

  function result() {
    const { status } = state.reservation;
    const payment = paymentOf(id, who);
    if (status === 'CONFIRMED') {
      sayNow(t('confirmedSpoken'));
      return screen.show(() => t('confirmed'), () => [
        heading(t('confirmed'), showName()),
        ticket(el('div', {},
          el('p', { class: 'label' }, t('orderNumber')),
          el('p', { class: 'order' }, state.reservation.order_id ?? id)), 'done'),
        el('p', {}, t('enjoy')),
        el('div', { class: 'actions' }, el('a', { class: 'secondary', href: '#/' }, t('toShows'))),
      ]);
    }
    const isDeclined = status === 'CANCELLED' && (payment?.isDeclined || payment?.outcome === 'decline' || state.reservation.error_code);
    const [title, text] = isDeclined ? ['declinedTitle', 'declinedGone']
      : status === 'EXPIRED' ? ['expired', payment ? 'expiredPaid' : 'expiredText']
        : ['cancelled', payment ? 'expiredPaid' : 'cancelledText'];
    sayNow(t(title));
    return screen.show(() => t(title), () => [
      heading(t(title), showName()),
      el('p', {}, t(text)),
      ticket(null, 'void'),
      el('div', { class: 'actions' },
        el('a', { class: 'primary', href: `#/show/${encodeURIComponent(state.reservation.event_id)}` }, t('chooseAgain')),
        el('a', { class: 'secondary', href: '#/' }, t('toShows'))),
    ]);
  }

  function sum() {
    return money(state.reservation.total_price, state.reservation.currency);
  }

  function showName() {
    return el('p', { class: 'soft' }, state.hall?.name ?? state.reservation.event_id);
  }

  function ticket(top, kind = '') {
    const cell = (label, value) => el('div', {}, el('dt', {}, label), el('dd', {}, value));
    return el('section', { class: `ticket ${kind}`, 'aria-label': t('yourSeats') },
      top && el('div', { class: 'ticket-main' }, top),
      el('dl', { class: 'ticket-stub' },
        cell(t('yourSeats'), seatNames().map((name) => el('span', { class: 'seat-name' }, name))),
        cell(t('total'), sum()),
        cell(t('reservationNumber'), el('span', { class: 'id' }, id))));
  }

  /**
   * An id is `<section>-<row>-<number>` where the show's rows are numbered; any other id is shown
   * as is.
   */
  function seatNames() {
    const { seat_ids: ids, quantity } = state.reservation;
    const sections = state.hall?.sections ?? [];
    const of = (seat) => sections.filter(({ id: section }) => seat.startsWith(`${section}-`))
      .sort((a, b) => b.id.length - a.id.length)[0];
    if (ids.length === 0) return [`${t('general')} × ${quantity}`];
    const all = ids.map(of);
    if (all[0]?.kind === 'general') return [`${all[0].name ?? all[0].id} × ${quantity}`];
    return ids.map((seat, index) => {
      const section = all[index];
      const [, row, number] = section ? seat.slice(section.id.length + 1).match(/^(.+)-(\d+)$/) ?? [] : [];
      return number ? t('seatShort', section.name ?? section.id, row, number) : seat;
    });
  }
}

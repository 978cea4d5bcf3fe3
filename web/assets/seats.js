// Choosing: a section, seats on its map or a number of tickets, and the request that holds them.

import * as api from './api.js';
import { say } from './announce.js';
import { countDown, minutesAndSeconds, pause, whenVisible } from './clock.js';
import { button, el, setAttribute, setText } from './dom.js';
import { format, money, t } from './i18n.js';
import { changePlace, forgetTicket, placeIn } from './memory.js';
import { untilAnswered } from './retry.js';
import { heading, heldNotice } from './screen.js';
import { seatMap } from './seatmap.js';
import { arrive, person } from './session.js';
import { NotSignedIn, signedIn } from './signin.js';

const REFRESH_MS = 2_000;
/** The platform allows ten; eight fit on one ticket and keep the chances of a crowd fair. */
const MOST_SEATS = 8;
const FRESH_MS = 2 * 60_000;

/** Whether the person still waits for the unanswered request. */
export const isFresh = (pending) => Boolean(pending) && Math.abs(Date.now() - pending.at) < FRESH_MS;

/**
 * Sends a reservation under one key, which survives a reload, until it is answered. Opens the
 * reservation and resolves to null, or resolves to the reason: `{ notice, taken, isPassOver }`.
 */
export async function sendReservation(screen, show, pending) {
  let who = person();
  try {
    const made = await untilAnswered(() => signedIn(() => {
      if (person() !== who) {
        who = person();
        const place = placeIn(show, who);
        if (place.reservation || isFresh(place.pending)) {
          // A signed-in person may hold seats here already: show them those before they choose
          // more.
          arrive();
          throw screen.signal.reason;
        }
      }
      changePlace(show, who, { pending });
      return api.reserve(pending.body, pending.key, screen.signal);
    }, screen.signal), screen.signal);
    forgetTicket(show, who, {
      pending: undefined, reservation: made.reservation_id, spent: pending.body.reservation_token,
    });
    say(t('held', made.quantity));
    location.hash = `#/reservation/${encodeURIComponent(made.reservation_id)}`;
    return null;
  } catch (error) {
    if (screen.signal.aborted) throw error;
    changePlace(show, who, { pending: undefined });
    if (error instanceof NotSignedIn) return { notice: null, taken: [] };
    const taken = error.details.filter?.(({ reason }) => reason === 'TAKEN').map(({ value }) => value) ?? [];
    if (error.status === 403) return { notice: 'passRefused', taken, isPassOver: true };
    if (error.code === 'INSUFFICIENT_INVENTORY') return { notice: 'tooFew', taken };
    if (error.code === 'INVENTORY_CONFLICT') return { notice: 'takenSome', taken };
    return { notice: 'refused', taken };
  }
}

/**
 * Lets the person choose and reserve. Resolves to null when a reservation was made, or to the key
 * of a text when the admission is over. `admission` is `{ pass, until }`, or null where anybody can
 * reserve.
 */
export function chooseSeats(screen, hall, admission, notice, held) {
  const show = hall.event_id;
  let sections = hall.sections;
  let section = (sections.find(({ remaining }) => remaining > 0) ?? sections[0])?.id;
  let seats = null;
  let map = null;
  let parts = {};
  let quantity = 1;
  let isSending = false;
  let problem = notice ? t(notice) : '';
  const chosen = new Map();

  const theSection = () => sections.find(({ id }) => id === section);
  const sectionName = ({ id, name }) => name ?? id;
  const isGeneral = () => theSection().kind === 'general';
  const most = () => Math.max(1, Math.min(MOST_SEATS, theSection().remaining));
  const count = () => (isGeneral() ? quantity : chosen.size);
  const sum = () => (isGeneral()
    ? quantity * theSection().price
    : Array.from(chosen.values()).reduce((total, seat) => total + seat.price, 0));
  const spoken = (list) => list.map((seat) => t('seatShort', sectionName(theSection()), seat.row, seat.number)).join(', ');

  return new Promise((resolve, reject) => {
    screen.show(() => `${t('choose')} · ${hall.name}`, draw);
    if (problem) say(problem);
    const signal = screen.stepSignal;
    const stop = (error) => { if (!signal.aborted) reject(error); };
    signal.addEventListener('abort', () => { if (screen.signal.aborted) reject(screen.signal.reason); });
    if (admission) {
      countDown(() => admission.until, signal, (left) => {
        setText(parts.left, minutesAndSeconds(left));
        if (left === 10) say(t('chooseLeft', left));
      }, () => { if (!isSending) resolve('passOver'); });
    }
    watch(signal).catch(stop);

    function draw() {
      map = null;
      parts = {
        left: el('span', { class: 'digits', role: 'timer' }),
        sections: el('div', { class: 'chips' }),
        problem: el('p', { class: 'problem', role: 'alert' }),
        hall: el('div', { class: 'hall' }),
        summary: el('p', { class: 'sum', role: 'status' }),
        chosen: el('p', { class: 'soft chosen' }),
        reserve: button('', reserve),
      };
      parts.left.textContent = admission ? minutesAndSeconds(Math.max(0, Math.ceil((admission.until - performance.now()) / 1000))) : '';
      drawSections();
      drawHall();
      write();
      return [
        heading(t('choose'), el('p', { class: 'soft' }, hall.name),
          admission && el('p', { class: 'clock' }, `${t('chooseIn')} `, parts.left)),
        heldNotice(held),
        el('fieldset', { class: 'sections' }, el('legend', {}, t('section')), parts.sections),
        parts.hall,
        el('div', { class: 'summary' },
          parts.problem,
          el('div', { class: 'summary-line' }, el('div', {}, parts.summary, parts.chosen), parts.reserve)),
      ];
    }

    function drawSections() {
      parts.counts = new Map();
      parts.sections.replaceChildren(...sections.map((each) => {
        const left = el('span', { class: 'soft' });
        parts.counts.set(each.id, left);
        const input = el('input', {
          type: 'radio', name: 'section', value: each.id, checked: each.id === section, on: { change: () => choose(each.id) },
        });
        return el('label', { class: 'chip' }, input, el('strong', {}, sectionName(each)), el('span', {}, money(each.price, hall.currency)), left);
      }));
    }

    function choose(id) {
      section = id;
      seats = null;
      chosen.clear();
      quantity = 1;
      tell('');
      drawHall();
      write();
      load(signal).catch(stop);
    }

    function drawHall() {
      if (isGeneral()) {
        const input = el('input', {
          type: 'number', id: 'quantity', inputmode: 'numeric', min: 1, max: most(), value: quantity,
          on: { change: () => setQuantity(Number(input.value)) },
        });
        parts.quantity = input;
        parts.hall.replaceChildren(el('div', { class: 'card general' },
          el('label', { for: 'quantity' }, `${t('general')} · ${t('quantity')}`),
          el('div', { class: 'stepper' },
            button('−', () => setQuantity(quantity - 1), { class: 'secondary', 'aria-label': t('fewer') }),
            input,
            button('+', () => setQuantity(quantity + 1), { class: 'secondary', 'aria-label': t('more') }))));
        return;
      }
      parts.quantity = null;
      if (!seats) {
        parts.hall.replaceChildren(el('p', { class: 'soft' }, t('loading')));
        return;
      }
      map = seatMap({
        label: t('seatsOf', sectionName(theSection())),
        seats,
        currency: hall.currency,
        isChosen: (id) => chosen.has(id),
        onToggle: toggle,
        isCalm: () => isSending,
      });
      const scroll = el('div', { class: 'map' }, el('p', { class: 'stage', 'aria-hidden': 'true' }, t('stage')), map.element);
      parts.hall.replaceChildren(
        el('p', { class: 'soft' }, t('mostSeats', MOST_SEATS), el('span', { class: 'by-key' }, ` ${t('keys')}`)),
        scroll,
        el('ul', { class: 'legend' }, ['AVAILABLE', 'SELECTED', 'HELD', 'SOLD'].map((key) => el('li', {},
          el('span', { class: 'seat', 'data-state': key === 'SELECTED' ? 'CHOSEN' : key, 'aria-hidden': 'true' },
            { SELECTED: '✓', HELD: '–', SOLD: '×' }[key] ?? ''), t(key)))));
      // Most people want the middle of a hall; a phone would start at its left end.
      scroll.scrollLeft = (scroll.scrollWidth - scroll.clientWidth) / 2;
    }

    function setQuantity(value) {
      quantity = Math.min(Math.max(Math.trunc(value) || 1, 1), most());
      write();
    }

    function toggle(seat) {
      if (chosen.has(seat.seat_id)) chosen.delete(seat.seat_id);
      else if (chosen.size >= MOST_SEATS) return tell(t('mostSeats', MOST_SEATS));
      else chosen.set(seat.seat_id, seat);
      tell('');
      map.rewrite(seat.seat_id);
      write();
    }

    function write() {
      for (const each of sections) {
        setText(parts.counts.get(each.id), each.remaining ? t('leftShort', format(each.remaining)) : t('soldOut'));
      }
      if (parts.quantity && document.activeElement !== parts.quantity) parts.quantity.value = quantity;
      if (parts.quantity) setAttribute(parts.quantity, 'max', String(most()));
      const n = count();
      setText(parts.summary, n ? t('chosen', n, money(sum(), hall.currency)) : t('nothingChosen'));
      setText(parts.chosen, isGeneral() ? '' : spoken(Array.from(chosen.values())));
      setText(parts.reserve, isSending ? t('reserving') : t('reserve'));
      // Not `disabled`, which would take the focus away.
      setAttribute(parts.reserve, 'aria-disabled', String(n === 0 || isSending));
      tell(problem);
    }

    function tell(text) {
      problem = text;
      setText(parts.problem, text);
    }

    async function reserve() {
      const n = count();
      if (isSending) return;
      if (n === 0) return tell(t('nothingChosen'));
      const body = { event_id: show, quantity: n };
      if (isGeneral()) body.section = section;
      else body.seat_ids = Array.from(chosen.keys());
      if (admission) body.reservation_token = admission.pass;
      isSending = true;
      tell('');
      write();
      try {
        const refusal = await sendReservation(screen, show, { key: api.newKey(), body, at: Date.now() });
        if (refusal === null) return resolve(null);
        isSending = false;
        if (refusal.isPassOver && admission) return resolve(refusal.notice);
        if (admission && performance.now() >= admission.until) return resolve('passOver');
        const names = drop(refusal.taken);
        await load(signal);
        tell(names ? t('taken', names) : refusal.notice ? t(refusal.notice) : '');
        write();
      } catch (error) {
        stop(error);
      }
    }

    /** Lets go of seats and returns their names. */
    function drop(ids) {
      const gone = ids.map((id) => chosen.get(id)).filter(Boolean);
      for (const seat of gone) {
        chosen.delete(seat.seat_id);
        map?.rewrite(seat.seat_id);
      }
      return spoken(gone);
    }

    async function load() {
      const asked = section;
      if (isGeneral()) return;
      const answer = await untilAnswered(() => api.seats(show, asked, signal), signal);
      if (asked !== section || signal.aborted) return;
      seats = answer.seats;
      if (!map || !parts.hall.contains(map.element)) drawHall();
      else map.update(seats);
      if (isSending) return;
      const names = drop(seats.filter(({ status, seat_id: id }) => status !== 'AVAILABLE' && chosen.has(id)).map(({ seat_id: id }) => id));
      if (names) tell(t('taken', names));
    }

    async function watch() {
      for (let round = 1; ; round++) {
        await load();
        write();
        await pause(REFRESH_MS * (0.9 + Math.random() / 5), signal);
        await whenVisible(signal);
        // The map is fresher; the counts of the other sections may be older.
        if (!isGeneral() && round % 3) continue;
        const news = await untilAnswered(() => api.availability(show, signal), signal);
        if (news.sections.length === sections.length) sections = news.sections;
        if (isGeneral()) setQuantity(quantity);
      }
    }
  });
}

// One show: the way from its name to held seats.

import * as api from './api.js';
import { say } from './announce.js';
import { button, el } from './dom.js';
import { format, money, t } from './i18n.js';
import { changePlace, forgetTicket, placeIn } from './memory.js';
import { attending, heldReservation } from './places.js';
import { untilAnswered } from './retry.js';
import { heading, heldNotice, loading, missing } from './screen.js';
import { chooseSeats, isFresh, sendReservation } from './seats.js';
import { person } from './session.js';
import { signInPanel } from './signin.js';
import { join, sitOutUsedPass, waitInLine } from './waiting.js';

export async function showScreen(screen, show) {
  const { signal } = screen;
  screen.show(() => '', loading);
  let hall;
  try {
    hall = await untilAnswered(() => api.availability(show, signal), signal);
  } catch (error) {
    if (error.status !== 404) throw error;
    // Nobody waits in line for a show that does not exist.
    forgetTicket(show, person());
    return screen.show(() => t('missing'), () => missing(t('missingText')));
  }
  const held = await heldReservation(show, signal);
  let notice = null;
  let isRejoined = false;

  // An unanswered request from before a reload: sending it again returns the lost answer. Long
  // after, the person may not want it any more.
  const { pending } = placeIn(show, person());
  if (pending && !isFresh(pending)) changePlace(show, person(), { pending: undefined });
  if (isFresh(pending)) {
    const refusal = await sendReservation(screen, show, pending);
    if (refusal === null) return undefined;
    notice = refusal.notice;
  }

  for (;;) {
    if (!hall.waiting_room) {
      const over = await chooseSeats(screen, hall, null, notice, held);
      screen.name(null);
      if (over === null) return undefined;
      notice = over;
      continue;
    }
    if (!placeIn(show, person()).ticket) {
      await introduction(screen, hall, notice, held);
      notice = await join(screen, hall);
      if (notice) continue;
    }
    const turn = await waitInLine(screen, hall, notice);
    notice = turn.notice ?? null;
    if (turn.isLost && !isRejoined) {
      // Not the person's fault, and they may not be looking: join again at once, but not for ever.
      isRejoined = true;
      notice = (await join(screen, hall)) ?? notice;
    }
    if (notice) continue;
    if (turn.isUsed) {
      changePlace(show, person(), { isUsed: true });
      await sitOutUsedPass(screen, hall, turn.until);
      forgetTicket(show, person(), { spent: undefined });
      notice = await join(screen, hall);
      continue;
    }
    const over = await attending(show, () => chooseSeats(screen, hall, turn, null, held));
    // The turn may have been announced to a tab that nobody has looked at since.
    screen.name(null);
    if (over === null) return undefined;
    // The pass is used or expired; another one needs another place in the line.
    forgetTicket(show, person(), { spent: turn.pass });
    notice = over;
  }
}

/** The sections and their prices; resolves when the person wants to join. */
function introduction(screen, hall, notice, held) {
  return new Promise((resolve) => {
    screen.show(() => hall.name, () => [
      heading(hall.name, el('p', { class: 'soft' }, hall.remaining ? t('left', format(hall.remaining), format(total(hall))) : t('soldOut'))),
      notice && el('p', { class: 'notice', role: 'status' }, t(notice)),
      heldNotice(held),
      el('div', { class: 'card' },
        el('table', { class: 'prices' },
          el('caption', {}, t('sections')),
          el('thead', {}, el('tr', {}, ['section', 'price', 'remaining'].map((key) => el('th', { scope: 'col' }, t(key))))),
          el('tbody', {}, hall.sections.map((section) => el('tr', {},
            el('th', { scope: 'row' }, section.name ?? section.id),
            el('td', {}, money(section.price, hall.currency)),
            el('td', {}, section.remaining ? format(section.remaining) : t('soldOut'))))))),
      el('p', {}, t('lineExplained')),
      signInPanel(),
      el('div', { class: 'actions' }, button(notice ? t('joinAgain') : t('join'), () => resolve())),
    ]);
    if (notice) say(t(notice));
  });
}

const total = (hall) => hall.sections.reduce((sum, section) => sum + section.total, 0);

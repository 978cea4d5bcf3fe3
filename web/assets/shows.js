// The list of shows on sale.

import * as api from './api.js';
import { pause, whenVisible } from './clock.js';
import { el } from './dom.js';
import { format, t } from './i18n.js';
import { placeIn } from './memory.js';
import { lookAtHeld } from './places.js';
import { untilAnswered } from './retry.js';
import { heading, loading } from './screen.js';
import { person } from './session.js';
import { signInPanel } from './signin.js';

const REFRESH_MS = 5_000;

export async function showsScreen(screen) {
  let shows = null;
  let drawn = null;
  const title = () => t('shows');
  screen.show(title, () => loading());
  for (;;) {
    // A recorded hold may be over: a hold expires whether the page is visible or not.
    lookAtHeld(screen.signal).then(refresh, () => {});
    const answer = await untilAnswered(() => api.shows(screen.signal), screen.signal);
    const isFirst = shows === null;
    shows = answer.events;
    if (isFirst) screen.show(title, () => [heading(t('shows')), signInPanel(), draw()]);
    else refresh();
    await pause(REFRESH_MS * (0.9 + Math.random() / 5), screen.signal);
    await whenVisible(screen.signal);
  }

  function rows() {
    return shows.map((show) => ({ show, mark: markOf(show) }));
  }

  function draw() {
    const fresh = rows();
    drawn = JSON.stringify(fresh);
    return list(fresh);
  }

  // Only the list: the text in the sign-in panel stays, and so does the focus.
  function refresh() {
    const old = document.getElementById('shows');
    if (screen.signal.aborted || drawn === null || !old || JSON.stringify(rows()) === drawn) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    const fresh = draw();
    old.replaceWith(fresh);
    if (focused) Array.from(fresh.querySelectorAll('a')).find((link) => link.getAttribute('href') === focused)?.focus();
  }
}

/** The key of a text: what this person has here, or else what is available. */
function markOf(show) {
  const { reservation, ticket } = placeIn(show.event_id, person());
  return reservation ? 'holding' : ticket ? 'inLine' : show.waiting_room ? 'hasLine' : null;
}

function list(rows) {
  if (rows.length === 0) return el('p', { id: 'shows', class: 'soft' }, t('noShows'));
  return el('ul', { id: 'shows', class: 'shows' }, rows.map(({ show, mark }) => el('li', {},
    el('a', { class: 'card show', href: `#/show/${encodeURIComponent(show.event_id)}` },
      el('span', { class: 'name' }, show.name),
      el('span', { class: 'soft' }, show.remaining ? t('left', format(show.remaining), format(show.total)) : t('soldOut')),
      mark && el('span', { class: 'mark' }, t(mark))))));
}

// The list of what is on sale.

import * as api from './api.js';
import { pause, whenVisible } from './clock.js';
import { el } from './dom.js';
import { format, t } from './i18n.js';
import { placeIn } from './memory.js';
import { untilAnswered } from './retry.js';
import { heading, loading } from './screen.js';
import { person } from './session.js';
import { signInPanel } from './signin.js';

const REFRESH_MS = 5_000;

export async function showsScreen(screen) {
  let shows = null;
  const title = () => t('shows');
  screen.show(title, () => loading());
  for (;;) {
    const answer = await untilAnswered(() => api.shows(screen.signal), screen.signal);
    const isNews = JSON.stringify(answer.events) !== JSON.stringify(shows);
    const isFirst = shows === null;
    shows = answer.events;
    if (isFirst) screen.show(title, () => [heading(t('shows')), signInPanel(), list(shows)]);
    else if (isNews) refresh();
    await pause(REFRESH_MS * (0.9 + Math.random() / 5), screen.signal);
    await whenVisible(screen.signal);
  }

  // Only the list: what is typed into the sign-in stays, and so does the focus.
  function refresh() {
    const old = document.getElementById('shows');
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    const fresh = list(shows);
    old.replaceWith(fresh);
    if (focused) Array.from(fresh.querySelectorAll('a')).find((link) => link.getAttribute('href') === focused)?.focus();
  }
}

function list(shows) {
  if (shows.length === 0) return el('p', { id: 'shows', class: 'soft' }, t('noShows'));
  return el('ul', { id: 'shows', class: 'shows' }, shows.map((show) => {
    const place = placeIn(show.event_id, person());
    const mark = place.reservation ? t('holding') : place.ticket ? t('inLine') : show.waiting_room ? t('hasLine') : null;
    return el('li', {},
      el('a', { class: 'card show', href: `#/show/${encodeURIComponent(show.event_id)}` },
        el('span', { class: 'name' }, show.name),
        el('span', { class: 'soft' }, show.remaining ? t('left', format(show.remaining), format(show.total)) : t('soldOut')),
        mark && el('span', { class: 'mark' }, mark)));
  }));
}

// The map of one section: a grid with one Tab stop and arrow keys inside, whatever the number of
// seats.

import { el, setAttribute, setText } from './dom.js';
import { money, t } from './i18n.js';

const PAGE_ROWS = 5;
/** Seats in a row of the map where the section has no rows. */
const LOOSE_ROW = 20;
const SIGNS = { AVAILABLE: '', HELD: '–', SOLD: '×', BLOCKED: '' };

const number = (text) => (/^\d+$/.test(text) ? Number(text) : null);

/**
 * `[{ name, seats: [{ seat, column }] }]`: equal numbers stand below each other where all are
 * numbers.
 */
export function rowsOf(seats) {
  const named = new Map();
  seats.forEach((seat, index) => {
    const name = seat.row || '';
    const key = name || `loose ${Math.floor(index / LOOSE_ROW)}`;
    if (!named.has(key)) named.set(key, { name, seats: [] });
    named.get(key).seats.push(seat);
  });
  const numbers = seats.map((seat) => number(String(seat.number)));
  const isNumbered = seats.every((seat, index) => seat.row && numbers[index] !== null);
  const first = isNumbered ? Math.min(...numbers) : 0;
  const rows = Array.from(named.values(), (row) => ({
    name: row.name,
    seats: row.seats.map((seat, index) => ({ seat, column: isNumbered ? Number(seat.number) - first : index })),
  }));
  for (const row of rows) row.seats.sort((a, b) => a.column - b.column);
  return rows;
}

/**
 * `isChosen(seat_id)` asks whether a seat is chosen; `onToggle(seat)` is called for each toggle.
 */
export function seatMap({ label, seats, currency, isChosen, onToggle, isCalm }) {
  const known = new Map();
  const cells = new Map();
  const rows = rowsOf(seats);
  const grid = el('div', { class: 'seats', role: 'grid', 'aria-label': label, 'aria-multiselectable': 'true' });
  const lines = rows.map((row) => {
    const head = el('span', { class: 'row-name', role: 'rowheader' }, row.name);
    const line = el('div', { class: 'row', role: 'row' }, head);
    const buttons = row.seats.map(({ seat, column }) => {
      const cell = el('button', { type: 'button', class: 'seat', role: 'gridcell', tabindex: -1, 'data-seat': seat.seat_id });
      cell.style.gridColumn = String(column + 2);
      cells.set(seat.seat_id, cell);
      line.append(cell);
      return { cell, column };
    });
    grid.append(line);
    return buttons;
  });
  let current = null;
  stopAt(cells.get(seats.find((seat) => seat.status === 'AVAILABLE')?.seat_id) ?? lines[0]?.[0]?.cell);

  grid.addEventListener('click', ({ target }) => {
    const cell = target.closest('.seat');
    if (!cell) return;
    stopAt(cell);
    const seat = known.get(cell.dataset.seat);
    if (seat.status === 'AVAILABLE' && !isCalm()) onToggle(seat);
  });
  grid.addEventListener('focusin', ({ target }) => { if (target.matches('.seat')) stopAt(target); });
  grid.addEventListener('keydown', (event) => {
    const to = destination(event);
    if (!to) return;
    event.preventDefault();
    stopAt(to);
    to.focus();
  });

  function stopAt(cell) {
    if (!cell || cell === current) return;
    if (current) current.tabIndex = -1;
    current = cell;
    current.tabIndex = 0;
  }

  function destination({ key, ctrlKey }) {
    const y = lines.findIndex((line) => line.some(({ cell }) => cell === current));
    if (y < 0) return null;
    const line = lines[y];
    const x = line.findIndex(({ cell }) => cell === current);
    const below = (by) => {
      const target = lines[Math.min(Math.max(y + by, 0), lines.length - 1)];
      const { column } = line[x];
      return target.reduce((best, each) => (Math.abs(each.column - column) < Math.abs(best.column - column) ? each : best)).cell;
    };
    switch (key) {
      case 'ArrowLeft': return line[Math.max(x - 1, 0)].cell;
      case 'ArrowRight': return line[Math.min(x + 1, line.length - 1)].cell;
      case 'ArrowUp': return below(-1);
      case 'ArrowDown': return below(1);
      case 'PageUp': return below(-PAGE_ROWS);
      case 'PageDown': return below(PAGE_ROWS);
      case 'Home': return (ctrlKey ? lines[0] : line)[0].cell;
      case 'End': return (ctrlKey ? lines[lines.length - 1] : line).at(-1).cell;
      default: return null;
    }
  }

  /** Touches changes only: hundreds of seats are refreshed every two seconds. */
  function write(seat) {
    known.set(seat.seat_id, seat);
    const cell = cells.get(seat.seat_id);
    if (!cell) return;
    const chosen = isChosen(seat.seat_id);
    const state = chosen ? 'CHOSEN' : seat.status;
    const spoken = t('seatSpoken', seat.row, seat.number, t(chosen ? 'SELECTED' : seat.status), money(seat.price, currency));
    setAttribute(cell, 'data-state', state);
    setAttribute(cell, 'aria-label', spoken);
    setAttribute(cell, 'aria-selected', String(chosen));
    setAttribute(cell, 'aria-disabled', String(seat.status !== 'AVAILABLE'));
    setText(cell, chosen ? '✓' : SIGNS[seat.status] || (seat.status === 'AVAILABLE' ? String(seat.number) : ''));
  }

  seats.forEach(write);
  return {
    element: grid,
    seat: (id) => known.get(id),
    /** Takes new states. */
    update(news) {
      for (const seat of news) {
        const before = known.get(seat.seat_id);
        if (!before || before.status !== seat.status || before.price !== seat.price) write(seat);
      }
    },
    /** Redraws one seat, because it was chosen or let go. */
    rewrite(id) {
      if (known.has(id)) write(known.get(id));
    },
  };
}

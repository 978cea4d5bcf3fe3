// The platform that the tests run against, and the steps that bring it into a state, by its APIs
// only.
//
// BASE_URL       the gateway; default http://127.0.0.1:8000
// INVENTORY_URL  inventory-api, which puts shows on sale; default http://127.0.0.1:8020
// ACCESS_TOKEN   one or more tokens (`tacos token --sub NAME`), one for each person, separated by
//                commas or spaces; each running test takes one of its own
// HOLD_SECONDS   how long the platform holds a seat; if set, one test waits for a hold to expire

import { randomUUID } from 'node:crypto';

export const BASE_URL = process.env.BASE_URL ?? 'http://127.0.0.1:8000';
export const INVENTORY_URL = process.env.INVENTORY_URL ?? 'http://127.0.0.1:8020';
export const HOLD_SECONDS = Number(process.env.HOLD_SECONDS ?? 0);

/** The token of this test worker's person. */
export function accessToken(worker) {
  const tokens = (process.env.ACCESS_TOKEN ?? '').split(/[\s,]+/).filter(Boolean);
  if (tokens.length === 0) throw new Error('ACCESS_TOKEN is not set: `tacos token --sub NAME` prints one');
  return tokens[worker % tokens.length];
}

async function post(url, body, headers = {}) {
  const response = await fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const rows = (count, seats) => Array.from({ length: count }, (_, row) => ({ row: String(row + 1), from: 1, to: seats }));

/**
 * Puts a show on sale for one test: a section with seats, one with hundreds of seats, and one of
 * general admission.
 */
export async function putOnSale(name, rate = null, more = {}) {
  const show = {
    event_id: `web-${randomUUID()}`,
    name,
    sections: [
      { id: 'A', name: 'R', price: 120000, rows: rows(18, 28) },
      { id: 'B', name: 'S', price: 90000, rows: rows(6, 12) },
      { id: 'FLOOR', name: 'Floor', price: 60000, capacity: 300 },
    ],
    ...(rate === null ? {} : { waiting_room: { rate_per_sec: rate } }),
    ...more,
  };
  await post(`${INVENTORY_URL}/admin/shows`, show);
  return show;
}

/** Lets others join; they never poll, so they count as absent after the grace. */
export async function joinOthers(show, count) {
  for (let n = 0; n < count; n += 20) {
    const some = Array.from({ length: Math.min(20, count - n) }, () =>
      post(`${BASE_URL}/api/v1/queue/join`, { event_id: show.event_id, user_id: `other-${randomUUID()}` }));
    await Promise.all(some);
  }
}

/** Holds seats for this token's person, as a faster buyer; for shows without a waiting room. */
export const reserve = (show, seats, token) =>
  post(`${BASE_URL}/api/v1/reservations`, { event_id: show.event_id, seat_ids: seats, quantity: seats.length },
    { authorization: `Bearer ${token}`, 'idempotency-key': randomUUID() });

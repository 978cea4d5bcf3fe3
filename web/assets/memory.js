// The data that survives a reload. For each show: the ticket, the pass, an unanswered request, the
// reservation. For each reservation: the payment in progress. Storage may be disabled or full; what
// it rejects is kept in memory for as long as the page is open.

const PREFIX = 'tacos.show.';
const PAYMENT_PREFIX = 'tacos.payment.';
/** Long after any hold, so that payments do not pile up in the storage. */
const PAYMENT_KEPT_MS = 24 * 60 * 60_000;
/**
 * What the storage rejected, by key; null where a removal failed. It is newer than the stored
 * value.
 */
const fallback = new Map();

function storage(kind) {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

export function recall(kind, key) {
  if (fallback.has(key)) return fallback.get(key);
  try {
    return storage(kind).getItem(key);
  } catch {
    return null;
  }
}

export function remember(kind, key, value) {
  try {
    if (value === null) storage(kind).removeItem(key);
    else storage(kind).setItem(key, value);
    fallback.delete(key);
  } catch {
    fallback.set(key, value);
  }
}

/** The keys of the data that also survives the tab. */
function keysFrom(prefix) {
  let stored = [];
  try {
    stored = Object.keys(window.localStorage);
  } catch {
    // Storage is not available; the values in memory remain.
  }
  return Array.from(new Set([...stored, ...fallback.keys()])).filter((key) => key.startsWith(prefix));
}

function parsed(key) {
  try {
    return JSON.parse(recall('localStorage', key)) ?? {};
  } catch {
    return {};
  }
}

/**
 * The place of a person: `{ ticket, name, joinKey, firstPosition, position, pass, isUsed, spent,
 * pending, reservation }`, each only if it exists; `name` is the show's. Another person at the same
 * device does not find it.
 */
export function placeIn(show, person) {
  const place = parsed(PREFIX + show);
  return place.person === person ? place : { person };
}

/** All places of all people: `[{ show, ...place }]`. */
export const places = () => keysFrom(PREFIX).map((key) => ({ ...parsed(key), show: key.slice(PREFIX.length) }));

/** All places of a person. */
export const placesOf = (person) => places().filter((place) => person !== null && place.person === person);

/**
 * A value of undefined removes the field. A signed-out user has no place: the stored places of a
 * person whose sign-in has expired stay as they are.
 */
export function changePlace(show, person, change) {
  if (person === null) return { person };
  const place = { ...placeIn(show, person), ...change };
  remember('localStorage', PREFIX + show, JSON.stringify(place));
  return place;
}

/** Removes the ticket and its data; `more` changes further fields. */
export function forgetTicket(show, person, more = {}) {
  changePlace(show, person, {
    ticket: undefined, name: undefined, firstPosition: undefined, position: undefined, isUsed: undefined, ...more,
  });
}

/**
 * Signing out removes every place and payment, whoever they belong to. The language stays: it
 * belongs to the device.
 */
export function forgetPlaces() {
  for (const key of [...keysFrom(PREFIX), ...keysFrom(PAYMENT_PREFIX)]) remember('localStorage', key, null);
}

/**
 * The person's payment in progress for a reservation, from any tab, or null: `{ outcome, key,
 * person, at, intent?, isAsked?, isApproved?, isDeclined? }`.
 */
export function paymentOf(reservation, person) {
  const payment = parsed(PAYMENT_PREFIX + reservation);
  return payment.key && payment.person === person ? payment : null;
}

/** A payment of null removes it. */
export function rememberPayment(reservation, person, payment) {
  for (const key of keysFrom(PAYMENT_PREFIX)) {
    if (!(Date.now() - parsed(key).at < PAYMENT_KEPT_MS)) remember('localStorage', key, null);
  }
  const text = payment && JSON.stringify({ ...payment, person, at: Date.now() });
  remember('localStorage', PAYMENT_PREFIX + reservation, text);
}

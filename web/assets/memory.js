// What outlives a reload. For each show: the ticket of the line, the pass, what was sent and not answered, the
// reservation. For each reservation: the payment that is on its way. Storage may be switched off or full; what it does
// not take is kept here, and then the page works for as long as it is open.

const PREFIX = 'tacos.show.';
const PAYMENT_PREFIX = 'tacos.payment.';
/** Long after any hold; so that payments do not pile up in the storage. */
const PAYMENT_KEPT_MS = 24 * 60 * 60_000;
/** What the storage did not take, by its key; null for what it did not remove. It is newer than what is stored. */
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

/** The keys of what outlives the tab as well. */
function keysFrom(prefix) {
  let stored = [];
  try {
    stored = Object.keys(window.localStorage);
  } catch {
    // Then there is what is kept here.
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
 * `{ ticket, name, joinKey, firstPosition, position, pass, isUsed, spent, pending, reservation }`, each only where there
 * is one; `name` is the show's. A place belongs to a person: somebody else at the same device does not find it.
 */
export function placeIn(show, person) {
  const place = parsed(PREFIX + show);
  return place.person === person ? place : { person };
}

/** All places, whoever they are of: `[{ show, ...place }]`. */
export const places = () => keysFrom(PREFIX).map((key) => ({ ...parsed(key), show: key.slice(PREFIX.length) }));

/** All places of a person. */
export const placesOf = (person) => places().filter((place) => person !== null && place.person === person);

/** A value of undefined forgets. Nobody has no place: what is kept of somebody whose sign-in has run out stays as it is. */
export function changePlace(show, person, change) {
  if (person === null) return { person };
  const place = { ...placeIn(show, person), ...change };
  remember('localStorage', PREFIX + show, JSON.stringify(place));
  return place;
}

/** Forgets the ticket and what belongs to it; `more` is changed with it. */
export function forgetTicket(show, person, more = {}) {
  changePlace(show, person, {
    ticket: undefined, name: undefined, firstPosition: undefined, position: undefined, isUsed: undefined, ...more,
  });
}

/** Signing out leaves no place and no payment behind, whoever they were of. The language stays: it is the device's. */
export function forgetPlaces() {
  for (const key of [...keysFrom(PREFIX), ...keysFrom(PAYMENT_PREFIX)]) remember('localStorage', key, null);
}

/**
 * `{ outcome, key, person, at, intent?, isAsked?, isApproved?, isDeclined? }` of the payment of this person that is on its
 * way for a reservation, in whichever tab it was begun; else null.
 */
export function paymentOf(reservation, person) {
  const payment = parsed(PAYMENT_PREFIX + reservation);
  return payment.key && payment.person === person ? payment : null;
}

/** A payment of null forgets. */
export function rememberPayment(reservation, person, payment) {
  for (const key of keysFrom(PAYMENT_PREFIX)) {
    if (!(Date.now() - parsed(key).at < PAYMENT_KEPT_MS)) remember('localStorage', key, null);
  }
  const text = payment && JSON.stringify({ ...payment, person, at: Date.now() });
  remember('localStorage', PAYMENT_PREFIX + reservation, text);
}

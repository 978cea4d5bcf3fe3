// What outlives a reload. For each show: the ticket of the line, the pass, what was sent and not answered, the
// reservation. Storage may be switched off; then the page works for as long as it is open.

const PREFIX = 'tacos.show.';
const fallback = new Map();

function storage(kind) {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

export function recall(kind, key) {
  try {
    return storage(kind).getItem(key);
  } catch {
    return fallback.get(key) ?? null;
  }
}

export function remember(kind, key, value) {
  try {
    if (value === null) storage(kind).removeItem(key);
    else storage(kind).setItem(key, value);
  } catch {
    if (value === null) fallback.delete(key);
    else fallback.set(key, value);
  }
}

/**
 * `{ ticket, joinKey, firstPosition, position, pass, spent, pending, reservation }`, each only where there is one.
 * A place belongs to a person: somebody else at the same device does not find it.
 */
export function placeIn(show, person) {
  try {
    const place = JSON.parse(recall('localStorage', PREFIX + show)) ?? {};
    return place.person === person ? place : { person };
  } catch {
    return { person };
  }
}

/** A value of undefined forgets. */
export function changePlace(show, person, change) {
  const place = { ...placeIn(show, person), ...change };
  remember('localStorage', PREFIX + show, JSON.stringify(place));
  return place;
}

/** Signing out leaves nothing behind. */
export function forgetPlaces() {
  try {
    const keys = Object.keys(window.localStorage).filter((key) => key.startsWith(PREFIX));
    for (const key of keys) window.localStorage.removeItem(key);
  } catch {
    // Nothing was kept there then.
  }
  fallback.clear();
}

const paymentKey = (reservation) => `tacos.payment.${reservation}`;

/** `{ outcome, key, intent?, isAsked?, isApproved?, isDeclined? }` of the payment that is on its way for a reservation, else null. */
export function paymentOf(reservation) {
  try {
    return JSON.parse(recall('sessionStorage', paymentKey(reservation)));
  } catch {
    return null;
  }
}

export function rememberPayment(reservation, payment) {
  remember('sessionStorage', paymentKey(reservation), payment && JSON.stringify(payment));
}

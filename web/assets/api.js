// The gateway's API: one function for each call, and one kind of error.

import { accessToken } from './session.js';

const BASE = '/api/v1';
const PATIENCE_MS = 10_000;
/**
 * The gateway holds this answer back until the pass's time in the rate has come, 2.5 s at most.
 * Asking again returns the same pass, whose seconds are running, so a lost answer is not awaited
 * any longer.
 */
const ENTER_PATIENCE_MS = 5_000;
/** The longest Retry-After that we honour: a silence of 30 s counts as absence in the line. */
const MOST_RETRY_AFTER_MS = 20_000;

/** An answer that is not a success, or no answer (`status` 0). */
export class ApiError extends Error {
  constructor(status, code, message, { retryAfterMs = null, details = [] } = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.details = details;
  }

  /**
   * Whether the same request may succeed a little later. Repeating it is safe: every change has a
   * key.
   */
  get isTemporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500
      || (this.status === 409 && this.retryAfterMs !== null);
  }
}

/**
 * A key for one intent; a retry of the intent uses the same key. `randomUUID` exists in secure
 * contexts only.
 */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Reads Retry-After, in seconds or as a date, and caps it. */
function retryAfter(headers) {
  const value = headers.get('retry-after');
  if (value === null) return null;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), MOST_RETRY_AFTER_MS) : null;
}

async function call(method, path, { body, key, signed = false, patienceMs = PATIENCE_MS, signal } = {}) {
  const headers = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key) headers['idempotency-key'] = key;
  if (signed && accessToken()) headers.authorization = `Bearer ${accessToken()}`;
  let response;
  let answer;
  // Not AbortSignal.any or AbortSignal.timeout, which phones of some years ago lack.
  const ending = new AbortController();
  const end = () => ending.abort();
  const patience = setTimeout(end, patienceMs);
  signal?.addEventListener('abort', end);
  try {
    if (signal?.aborted) throw signal.reason;
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: ending.signal,
      cache: 'no-store',
      credentials: 'omit',
    });
    answer = await response.json().catch((error) => {
      // An answer that is not JSON comes from a proxy; a body that broke off counts as no answer.
      if (error instanceof SyntaxError) return null;
      throw error;
    });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new ApiError(0, 'UNREACHABLE', String(error));
  } finally {
    clearTimeout(patience);
    signal?.removeEventListener('abort', end);
  }
  if (response.ok && answer !== null) return answer;
  const { code = 'INTERNAL', message = response.statusText, details = [] } = answer?.error ?? {};
  throw new ApiError(response.ok ? 502 : response.status, code, message, { retryAfterMs: retryAfter(response.headers), details });
}

const name = encodeURIComponent;

export const shows = (signal) => call('GET', '/events', { signal });

export const availability = (show, signal) => call('GET', `/events/${name(show)}/availability`, { signal });

export const seats = (show, section, signal) =>
  call('GET', `/events/${name(show)}/seats?section=${name(section)}`, { signal });

export const join = (show, key, signal) =>
  call('POST', '/queue/join', { body: { event_id: show }, key, signed: true, signal });

// Sent without the sign-in, so a 401 is about the ticket, and a person whose sign-in has expired
// keeps their place.
export const queueStatus = (ticket, signal) => call('GET', `/queue/status?token=${name(ticket)}`, { signal });

export const enter = (ticket, signal) =>
  call('POST', '/queue/enter', { body: { waiting_token: ticket }, signed: true, patienceMs: ENTER_PATIENCE_MS, signal });

export const leave = (ticket, signal) => call('POST', `/queue/leave?token=${name(ticket)}`, { signal });

export const reserve = (body, key, signal) => call('POST', '/reservations', { body, key, signed: true, signal });

export const reservation = (id, signal) => call('GET', `/reservations/${name(id)}`, { signed: true, signal });

export const cancel = (id, key, signal) =>
  call('POST', `/reservations/${name(id)}/cancel`, { body: {}, key, signed: true, signal });

export const paymentIntent = (body, key, signal) =>
  call('POST', '/payment/intent', { body, key, signed: true, signal });

// Needs no key: a decided payment does not change, and the decision is returned again.
export const processPayment = (intent, action, signal) =>
  call('POST', '/payment/process', { body: { payment_intent_id: intent, action }, signed: true, signal });

export const payment = (intent, signal) => call('GET', `/payment/${name(intent)}/status`, { signed: true, signal });

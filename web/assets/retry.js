// Retries: the screen stays, a line says that we are retrying, and a returning gateway is not
// flooded.

import { pause } from './clock.js';

const FIRST_MS = 1_000;
/** Short enough to be back before a silence in the line counts as absence (30 s). */
const MOST_MS = 10_000;

/**
 * Dispatches `change` with `detail`: null, 'unreachable' (no answer), 'busy' (429) or 'failing' (an
 * error of the service).
 */
export const trouble = new EventTarget();
let now = null;

function tell(kind) {
  if (kind === now) return;
  now = kind;
  trouble.dispatchEvent(new CustomEvent('change', { detail: kind }));
}

const kindOf = ({ status }) => (status === 0 ? 'unreachable' : status === 429 ? 'busy' : 'failing');

/**
 * The n-th wait: doubling, and spread over half of it, so that a crowd that lost its gateway does
 * not return all at once.
 */
export function backoff(n, random = Math.random()) {
  return Math.min(MOST_MS, FIRST_MS * 2 ** n) * (0.5 + random / 2);
}

/**
 * Calls until an answer arrives that a retry would not change; honours Retry-After.
 * `explains(error)` may show a temporary error itself and return true.
 */
export async function untilAnswered(attempt, signal, explains = () => false) {
  for (let failures = 0; ; failures++) {
    try {
      const answer = await attempt();
      tell(null);
      return answer;
    } catch (error) {
      if (!error.isTemporary) {
        if (error.status) tell(null);
        throw error;
      }
      if (error.status !== 409 && !explains(error)) tell(kindOf(error));
      // Becoming visible or online is a reason to retry at once, unless the gateway said when.
      const asked = error.retryAfterMs;
      const ms = asked === null ? backoff(failures) : Math.max(asked, 200) + Math.random() * 300;
      await pause(ms, signal, { wakes: asked === null });
    }
  }
}

/** Clears the trouble of a screen that was left. */
export const calm = () => tell(null);

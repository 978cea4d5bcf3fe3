// Going on in spite of trouble: whatever is on the screen stays there, a line says that we are trying, and nobody
// hammers a gateway that comes back.

import { pause } from './clock.js';

const FIRST_MS = 1_000;
/** Short enough to come back before a silence in line counts as absence (30 s). */
const MOST_MS = 10_000;

/** `change` with `detail`: null, 'unreachable' (no answer), 'busy' (429) or 'failing' (an error of the service). */
export const trouble = new EventTarget();
let now = null;

function tell(kind) {
  if (kind === now) return;
  now = kind;
  trouble.dispatchEvent(new CustomEvent('change', { detail: kind }));
}

const kindOf = ({ status }) => (status === 0 ? 'unreachable' : status === 429 ? 'busy' : 'failing');

/** The n-th wait: doubling, and spread over half of it, so that a crowd that lost its gateway does not return as one. */
export function backoff(n, random = Math.random()) {
  return Math.min(MOST_MS, FIRST_MS * 2 ** n) * (0.5 + random / 2);
}

/**
 * Calls until there is an answer that repetition would not change; Retry-After is honoured. `explains(error)` may say
 * itself what a temporary error is about, and return true then.
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
      // Coming back into view or online is a reason to try at once, unless we were told when.
      const told = error.retryAfterMs;
      const ms = told === null ? backoff(failures) : Math.max(told, 200) + Math.random() * 300;
      await pause(ms, signal, { wakes: told === null });
    }
  }
}

/** Forgets trouble that belongs to a screen that was left. */
export const calm = () => tell(null);

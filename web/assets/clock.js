// Pauses and countdowns, measured by `performance.now()`, because a wall clock may be wrong and may
// jump.

/**
 * Sleeps; aborting `signal` ends it early with an AbortError. Becoming visible or online also ends
 * it.
 */
export function pause(ms, signal, { wakes = true } = {}) {
  return new Promise((resolve, reject) => {
    const stop = document.hidden ? alarm(ms, done) : plainAlarm(ms, done);
    function done() { clear(); resolve(); }
    function aborted() { clear(); reject(signal.reason); }
    function shown() { if (!document.hidden) done(); }
    function clear() {
      stop();
      signal?.removeEventListener('abort', aborted);
      document.removeEventListener('visibilitychange', shown);
      window.removeEventListener('online', done);
    }
    if (signal?.aborted) return aborted();
    signal?.addEventListener('abort', aborted);
    if (wakes) {
      document.addEventListener('visibilitychange', shown);
      window.addEventListener('online', done);
    }
  });
}

/** Resolves when the page is visible, at once if it already is. */
export function whenVisible(signal) {
  return new Promise((resolve, reject) => {
    if (!document.hidden) return resolve();
    if (signal?.aborted) return reject(signal.reason);
    const look = () => { if (!document.hidden) { document.removeEventListener('visibilitychange', look); resolve(); } };
    document.addEventListener('visibilitychange', look);
    signal?.addEventListener('abort', () => {
      document.removeEventListener('visibilitychange', look);
      reject(signal.reason);
    });
  });
}

function plainAlarm(ms, ring) {
  const timer = setTimeout(ring, ms);
  return () => clearTimeout(timer);
}

// A page that has been hidden for minutes gets its timers once a minute, which is longer than the
// silence that counts as absence. Browsers do not slow down a worker's timers.
let worker = null;
let rings = 0;

function alarm(ms, ring) {
  // Together with the slow timer, which is enough where a worker cannot start.
  const stop = plainAlarm(ms, ring);
  const mine = ++rings;
  const heard = ({ data }) => { if (data === mine) ring(); };
  if (!worker) {
    worker = new Worker('/assets/alarm.js');
    // The worker's script did not load, because the gateway is away: the next alarm makes a new
    // worker.
    worker.onerror = () => { worker = null; };
  }
  const clock = worker;
  clock.addEventListener('message', heard);
  clock.postMessage({ id: mine, ms });
  return () => {
    stop();
    clock.removeEventListener('message', heard);
  };
}

/**
 * Calls `tick(seconds)` now and whenever the whole seconds left change, while the page is visible,
 * until they are 0. Then calls `over()` once, visible or not. `deadline()` is read each time,
 * because it may have been corrected.
 */
export function countDown(deadline, signal, tick, over = () => {}) {
  let timer = 0;
  const step = () => {
    clearTimeout(timer);
    if (signal.aborted) return;
    const left = deadline() - performance.now();
    if (!document.hidden || left <= 0) tick(Math.max(0, Math.ceil(left / 1000)));
    if (left <= 0) {
      document.removeEventListener('visibilitychange', step);
      return over();
    }
    // Hidden: nothing to draw until the end.
    timer = setTimeout(step, document.hidden ? left : (left % 1000) + 5);
  };
  document.addEventListener('visibilitychange', step);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', step);
  });
  step();
}

/** Formats seconds: 75 → 1:15. */
export function minutesAndSeconds(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

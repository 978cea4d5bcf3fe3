// Time that passes: waiting, and counting down. Everything here is measured by `performance.now()`, because a wall
// clock may be wrong and may jump.

/** Sleeps; ends early, by an AbortError, when `signal` is aborted. Being shown again or back online ends it as well. */
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

/** Resolves at once while the page is visible, else when it becomes so. */
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

// A page that has been hidden for minutes gets its timers once a minute, which is longer than the silence after which a
// person counts as absent. Timers of a worker are not slowed down.
let worker = null;
let rings = 0;

function alarm(ms, ring) {
  // Beside the slow one, which is enough where a worker cannot be started.
  const stop = plainAlarm(ms, ring);
  const mine = ++rings;
  const heard = ({ data }) => { if (data === mine) ring(); };
  if (!worker) {
    worker = new Worker('/assets/alarm.js');
    // Its script did not come, because the gateway is away: another is made for the next alarm.
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
 * Calls `tick(seconds)` now and whenever the whole seconds left change, while the page is visible, until they are 0;
 * `over()` is then called once, visible or not. `deadline()` is asked each time: it may have been corrected.
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
    // Hidden: nothing to draw, so the next look is at the end.
    timer = setTimeout(step, document.hidden ? left : (left % 1000) + 5);
  };
  document.addEventListener('visibilitychange', step);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', step);
  });
  step();
}

/** 75 → 1:15. */
export function minutesAndSeconds(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

// Announcements for screen readers. The document has the two regions from the start.

const spoken = new Map();

function speak(region, text) {
  const element = document.getElementById(region);
  clearTimeout(spoken.get(region));
  // A repeated sentence would be no change and would not be read, so the region is emptied first.
  element.textContent = '';
  spoken.set(region, setTimeout(() => { element.textContent = text; }, 60));
}

/** Announced at the next pause. */
export const say = (text) => speak('polite', text);

/** Announced at once: the turn has come, the hold is about to expire. */
export const sayNow = (text) => speak('urgent', text);

// What is said to those who do not see the page. The two regions stand in the document from the start.

const spoken = new Map();

function speak(region, text) {
  const element = document.getElementById(region);
  clearTimeout(spoken.get(region));
  // The same sentence again would be no change, and so not be read: the region is emptied in between.
  element.textContent = '';
  spoken.set(region, setTimeout(() => { element.textContent = text; }, 60));
}

/** When there is a pause. */
export const say = (text) => speak('polite', text);

/** At once: it is your turn, the hold is running out. */
export const sayNow = (text) => speak('urgent', text);

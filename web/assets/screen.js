// A screen: one address, one view at a time, and everything that ends with it.

import { el } from './dom.js';
import { t } from './i18n.js';

let current = null;
let called = null;

/**
 * News from outside the open screen, such as a turn in a line: it goes before every title; null
 * when it is over.
 */
export function callFromElsewhere(text) {
  if (text === called) return;
  called = text;
  current?.name();
}

export class Screen {
  #root;
  #ending = new AbortController();
  #stepEnding = new AbortController();
  #draw = () => [];
  #title = () => '';
  #alert = null;
  #keepsPlace = false;

  constructor(root) {
    this.#root = root;
  }

  /** Aborted when the screen is left; every request, pause and listener of the screen takes it. */
  get signal() {
    return this.#ending.signal;
  }

  /** Aborted when the screen is left or shows its next view; for the things of one view. */
  get stepSignal() {
    return this.#stepEnding.signal;
  }

  /** Whether the view is one of waiting, where connection trouble does not cost the place. */
  get keepsPlace() {
    return this.#keepsPlace;
  }

  stop() {
    // The screen first: a listener that hears of the view's end may ask whether the screen has
    // ended.
    this.#ending.abort(new DOMException('another screen', 'AbortError'));
    this.#stepEnding.abort(new DOMException('another screen', 'AbortError'));
  }

  /**
   * Shows the next view. `draw` makes its elements, beginning with an h1, from the state that it
   * closes over; it is called again when the language changes.
   */
  show(title, draw, { keepsPlace = false } = {}) {
    if (this.signal.aborted) throw this.signal.reason;
    this.#stepEnding.abort(new DOMException('another view', 'AbortError'));
    this.#stepEnding = new AbortController();
    this.#title = title;
    this.#draw = draw;
    this.#keepsPlace = keepsPlace;
    current = this;
    this.redraw();
    this.focusHeading();
    window.scrollTo(0, 0);
  }

  redraw() {
    const focused = document.activeElement;
    const isLost = focused !== this.#root && this.#root.contains(focused);
    this.#root.replaceChildren(...[this.#draw()].flat().filter(Boolean));
    this.name();
    // The old elements are gone, and the focus with them.
    if (isLost) this.focusHeading();
  }

  /** Sets the document's title; urgent news goes first, where a narrow tab still shows it. */
  name(alert = this.#alert) {
    this.#alert = alert;
    // A screen that was left may still get news; the title belongs to another one now.
    if (this.signal.aborted) return;
    document.title = [alert ?? called, this.#title(), 'Traffic Tacos'].filter(Boolean).join(' · ');
  }

  /**
   * Focuses the heading, so that a screen reader reads it and the keyboard continues from there.
   */
  focusHeading() {
    const heading = this.#root.querySelector('h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
  }
}

export const heading = (text, ...below) => el('div', { class: 'heading' }, el('h1', {}, text), ...below);

export const loading = () => [heading(t('loading'))];

export const missing = (text) => [
  heading(t('missing')),
  el('p', {}, text),
  el('div', { class: 'actions' }, el('a', { class: 'primary', href: '#/' }, t('toShows'))),
];

/** The link to a reservation that is still to be paid, if there is one. */
export const heldNotice = (id) => id && el('p', { class: 'notice' },
  t('continuePaying'), ' ', el('a', { href: `#/reservation/${encodeURIComponent(id)}` }, t('toPayment')));

/** A question with two answers; resolves to whether the answer was the first. Escape means no. */
export function ask(question, yes, no, signal) {
  return new Promise((resolve) => {
    const dialog = el('dialog', { class: 'dialog', 'aria-labelledby': 'question' },
      el('p', { id: 'question' }, question),
      el('form', { method: 'dialog', class: 'actions' },
        el('button', { class: 'secondary', value: 'no' }, no),
        el('button', { class: 'primary', value: 'yes' }, yes)));
    const close = () => dialog.close('no');
    dialog.addEventListener('close', () => {
      signal.removeEventListener('abort', close);
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    signal.addEventListener('abort', close);
    document.body.append(dialog);
    dialog.showModal();
  });
}

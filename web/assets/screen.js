// A screen: one address, one view at a time, and everything that ends with it.

import { el } from './dom.js';
import { t } from './i18n.js';

let current = null;
let called = null;

/** What calls from outside of the screen that is open, such as a turn in a line: in front of every title; null when it is over. */
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

  /** Aborted when the screen is left: every request, pause and listener of it takes this. */
  get signal() {
    return this.#ending.signal;
  }

  /** Aborted when the screen is left or shows its next view: for what belongs to one view. */
  get stepSignal() {
    return this.#stepEnding.signal;
  }

  /** Whether the view is one of waiting, in which trouble with the connection does not cost one's place. */
  get keepsPlace() {
    return this.#keepsPlace;
  }

  stop() {
    // The screen first: who hears that a view has ended may ask whether the screen has.
    this.#ending.abort(new DOMException('another screen', 'AbortError'));
    this.#stepEnding.abort(new DOMException('another screen', 'AbortError'));
  }

  /**
   * Shows the next view. `draw` makes its elements, beginning with an h1, from the state that it closes over; it is
   * called again when the language changes.
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
    // What had the focus is gone with the old elements.
    if (isLost) this.focusHeading();
  }

  /** The document's title; what is urgent goes in front of it, where a narrow tab still shows it. */
  name(alert = this.#alert) {
    this.#alert = alert;
    // A screen that was left may still hear of something; the title is another's.
    if (this.signal.aborted) return;
    document.title = [alert ?? called, this.#title(), 'Traffic Tacos'].filter(Boolean).join(' · ');
  }

  /** So that a screen reader says where one is, and the keyboard goes on from there. */
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

/** The way to what waits to be paid for, if there is such a reservation. */
export const heldNotice = (id) => id && el('p', { class: 'notice' },
  t('continuePaying'), ' ', el('a', { href: `#/reservation/${encodeURIComponent(id)}` }, t('toPayment')));

/** A question with two answers; resolves to whether the first was given. Escape is no. */
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

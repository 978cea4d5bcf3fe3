// Builds elements in code. Nothing is parsed as HTML, so text from the network stays text.

/**
 * `el('p', { class: 'notice', on: { click } }, 'text', child)`; a value of null, undefined or false
 * leaves the attribute out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Writes only changes, so a screen reader and the layout see nothing else. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function button(label, onClick, attributes = {}) {
  return el('button', { type: 'button', class: 'primary', ...attributes, on: { click: onClick } }, label);
}

// The page at /docs: shows /openapi.json, with a form for each operation that sends a real request.
//
// - Nothing is parsed as HTML, so the text of the description and of answers stays text.
// - The bearer token lives in one variable of this page and ends with it. It is in no address, no
//   storage and no curl line.
// - `links` of the description become buttons under an answer; each fills the next form with values
//   of the answer.

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];
const SHOWN_CHARS_MAX = 100_000;
const DEPTH_MAX = 6;

let description = {};
let token = '';
/** What is known about an operation, by its id, in the order of the description. */
const operations = new Map();

// ---- Elements

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text in which `…` marks code. */
function inline(text) {
  return text.split('`').map((part, index) => (index % 2 ? el('code', {}, part) : part));
}

/** The part of Markdown that the description uses: headings, paragraphs, numbered lists, code. */
function prose(text, level) {
  return (text ?? '').split(/\n{2,}/).filter(Boolean).map((block) => {
    if (block.startsWith('## ')) return el(`h${level}`, {}, inline(block.slice(3)));
    if (/^1\. /.test(block)) {
      return el('ol', {}, block.split('\n').map((line) => el('li', {}, inline(line.replace(/^\d+\. /, '')))));
    }
    return el('p', {}, inline(block));
  });
}

function say(text) {
  document.getElementById('polite').textContent = text;
}

/** Adds break opportunities, so that long paths wrap at their slashes. */
function path(text) {
  return el('code', { class: 'path' }, text.split('/').flatMap((part, index) => (index ? ['/', el('wbr'), part] : [part])));
}

function badge(method) {
  return el('span', { class: `method ${method}` }, method.toUpperCase());
}

// ---- Reading the description

function pointer(value, tokens) {
  return tokens.reduce((inner, key) => (inner === null || inner === undefined ? undefined : inner[key]), value);
}

function tokensOf(text) {
  return text.split('/').filter((part) => part !== '').map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
}

/** The target of a `$ref`. A description beside the `$ref` replaces the target's. */
function resolved(object) {
  if (!object?.$ref) return object ?? {};
  const { $ref, ...beside } = object;
  return { ...resolved(pointer(description, tokensOf($ref.replace(/^#/, '')))), ...beside };
}

function nameOf(schema) {
  return schema?.$ref?.match(/^#\/components\/schemas\/(.+)$/)?.[1] ?? null;
}

/** A schema with its `$ref` and `allOf` resolved, and its name, if it has one. */
function flat(schema) {
  const { allOf = [], ...own } = resolved(schema);
  const name = nameOf(schema) ?? allOf.map(nameOf).find(Boolean) ?? null;
  return { name, schema: Object.assign({}, ...allOf.map((part) => flat(part).schema), own) };
}

function exampleOf(schema, depth = 0) {
  const { schema: s } = flat(schema);
  if (s.const !== undefined) return s.const;
  if (s.default !== undefined) return s.default;
  if (s.examples?.length) return s.examples[0];
  if (s.enum) return s.enum[0];
  const type = [s.type].flat()[0];
  if (type === 'object' || s.properties) {
    if (depth > DEPTH_MAX) return {};
    return Object.fromEntries((s.required ?? []).map((key) => [key, exampleOf(s.properties?.[key], depth + 1)]));
  }
  if (type === 'array') return depth > DEPTH_MAX ? [] : [exampleOf(s.items, depth + 1)];
  if (type === 'integer' || type === 'number') return s.minimum ?? 0;
  if (type === 'boolean') return false;
  return s.format === 'date-time' ? '2025-10-01T11:00:00.000Z' : '';
}

/** Every example of a media type by its title; if there is none, one derived from the schema. */
function examplesOf(media) {
  if (media.examples) {
    return Object.entries(media.examples).map(([key, example]) => [example.summary ?? key, resolved(example).value]);
  }
  if (media.example !== undefined) return [['Example', media.example]];
  return [['Example', exampleOf(media.schema)]];
}

function written(value) {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

function collect() {
  for (const [address, unresolved] of Object.entries(description.paths)) {
    const item = resolved(unresolved);
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolved);
      const security = operation.security ?? description.security ?? [];
      const body = operation.requestBody && resolved(operation.requestBody);
      operations.set(operation.operationId, {
        id: operation.operationId, address, method, operation, parameters, body,
        mayBeSigned: security.some((way) => Object.keys(way).length > 0),
        mustBeSigned: security.length > 0 && security.every((way) => Object.keys(way).length > 0),
      });
    }
  }
}

// ---- Schemas

function typeText(s) {
  if (s.const !== undefined) return JSON.stringify(s.const);
  const types = [s.type ?? (s.properties ? 'object' : 'any')].flat();
  return types.join(' or ') + (s.format ? ` (${s.format})` : '');
}

function typeOf(schema) {
  const { name, schema: s } = flat(schema);
  if (s.type === 'array') return ['array of ', typeOf(s.items ?? {})];
  if (name && s.type === 'object') return [el('a', { href: `#schema-${name}` }, name)];
  return [typeText(s)];
}

function boundsOf(s) {
  const bounds = [];
  const range = (low, high, unit) => {
    if (low !== undefined && high !== undefined) bounds.push(`${low} to ${high}${unit}`);
    else if (low !== undefined && !(low === 0 && unit)) bounds.push(`at least ${low}${unit}`);
    else if (high !== undefined) bounds.push(`at most ${high}${unit}`);
  };
  range(s.minimum, s.maximum, '');
  range(s.minLength, s.maxLength, ' characters');
  range(s.minItems, s.maxItems, ' entries');
  if (s.uniqueItems) bounds.push('no entry twice');
  if (s.default !== undefined) bounds.push(`default ${JSON.stringify(s.default)}`);
  const parts = bounds.length ? [el('span', { class: 'bounds' }, bounds.join(', '))] : [];
  if (s.enum) {
    parts.push(el('span', { class: 'bounds' }, 'one of ', s.enum.flatMap((value, i) => [i ? ', ' : null, el('code', {}, String(value))])));
  }
  if (s.pattern) parts.push(el('span', { class: 'bounds' }, 'matches ', el('code', {}, s.pattern)));
  return parts;
}

function fieldLine(label, schema, { required, about } = {}) {
  const { schema: s } = flat(schema);
  const text = about ?? s.description;
  return [
    el('dt', {}, el('code', { class: 'name' }, label), ' ', el('span', { class: 'type' }, typeOf(schema)),
      required ? el('span', { class: 'required' }, 'required') : null),
    el('dd', {}, text ? el('p', {}, inline(text)) : null, boundsOf(s), inside(schema)),
  ];
}

/** The fields of an object without a name, which has no section of its own. */
function inside(schema) {
  const { name, schema: s } = flat(schema);
  if (s.type === 'array') return inside(s.items ?? {});
  return name === null && s.properties ? fields(s) : null;
}

function fields(s) {
  const required = new Set(s.required ?? []);
  return el('dl', { class: 'fields' }, Object.entries(s.properties ?? {}).map(([key, property]) => (
    fieldLine(key, property, { required: required.has(key) }))));
}

function schemaView(schema) {
  const { schema: s } = flat(schema);
  const ways = (s.anyOf ?? s.oneOf)?.filter((way) => way.required?.length);
  return [
    ways?.length ? el('p', {}, 'At least one of ', ways.flatMap((way, i) => [i ? ' or ' : null, el('code', {}, way.required.join(', '))]), '.') : null,
    s.properties ? fields(s) : el('p', {}, el('span', { class: 'type' }, typeOf(schema)), ' ', boundsOf(s)),
    s.additionalProperties === false ? el('p', { class: 'note' }, 'Other fields are refused.') : null,
  ];
}

function code(text) {
  return el('pre', {}, el('code', {}, text));
}

/** Code of any length, in a scrolling box that the keyboard can reach. */
function boxed(text, label) {
  return el('pre', { class: 'boxed', tabindex: '0', role: 'group', 'aria-label': label }, el('code', {}, text));
}

// ---- One operation

function section(title, ...children) {
  return el('section', {}, el('h4', {}, title), children);
}

function parametersView(parameters) {
  return section('Parameters', el('dl', { class: 'fields' }, parameters.map((parameter) => fieldLine(
    parameter.name, parameter.schema, { required: parameter.required, about: `In the ${parameter.in}. ${parameter.description ?? ''}` }))));
}

function bodyView(body) {
  return section('Body', Object.entries(body.content).map(([media, content]) => [
    el('p', {}, el('code', {}, media), ' ', typeOf(content.schema), body.required ? el('span', { class: 'required' }, 'required') : null),
    schemaView(content.schema),
  ]));
}

function headersView(headers) {
  const entries = Object.entries(headers ?? {}).map(([name, header]) => [name, resolved(header)]);
  if (entries.length === 0) return null;
  return [el('h5', {}, 'Headers'), el('dl', { class: 'fields' }, entries.map(([name, header]) => (
    fieldLine(name, header.schema, { required: header.required, about: header.description }))))];
}

function responseView(status, unresolved) {
  const response = resolved(unresolved);
  const name = status[0] === '2' ? 'good' : 'bad';
  return el('details', { class: 'response' },
    el('summary', {}, el('strong', { class: `status ${name}` }, status), ' ', el('span', {}, inline(response.description))),
    Object.entries(response.content ?? {}).map(([media, content]) => [
      el('h5', {}, 'Content'),
      el('p', {}, el('code', {}, media), ' ', typeOf(content.schema)),
      flat(content.schema).name === 'Error' ? null : schemaView(content.schema),
      examplesOf(content).filter(([, value]) => value !== '').map(([title, value]) => [
        el('h5', {}, title), code(written(value))]),
    ]),
    headersView(response.headers));
}

function operationView(known) {
  const { id, address, method, operation, parameters, body } = known;
  known.article = el('article', { id, class: 'operation', 'aria-labelledby': `${id}-title` },
    el('h3', { id: `${id}-title` }, operation.summary),
    el('p', { class: 'line' }, badge(method), ' ', path(address)),
    prose(operation.description, 4),
    known.mayBeSigned ? el('p', { class: 'note' }, known.mustBeSigned ? 'A bearer token is needed.' : 'A bearer token may be sent.') : null,
    parameters.length ? parametersView(parameters) : null,
    body ? bodyView(body) : null,
    section('Answers', Object.entries(operation.responses).map(([status, response]) => responseView(status, response))),
    tryView(known));
  return known.article;
}

// ---- Requests

function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `try-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** The current values of an operation's form. */
function requestOf(known) {
  const query = new URLSearchParams();
  const headers = {};
  let address = known.address;
  for (const parameter of known.parameters) {
    const value = known.inputs.get(parameter.name).value;
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value === '') continue;
    else if (parameter.in === 'query') query.append(parameter.name, value);
    else if (parameter.in === 'header') headers[parameter.name] = value;
  }
  if (known.bodyInput) headers['Content-Type'] = Object.keys(known.body.content)[0];
  const text = query.toString();
  return { method: known.method.toUpperCase(), address: text ? `${address}?${text}` : address, headers, body: known.bodyInput?.value };
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The same request for a terminal. The token is a shell variable, so a copied line carries no
 * secret.
 */
function curlOf(known) {
  const { method, address, headers, body } = requestOf(known);
  const parts = [`curl -i${method === 'GET' ? '' : ` -X ${method}`} ${quoted(location.origin + address)}`];
  if (known.mustBeSigned) parts.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) parts.push(`-d ${quoted(body)}`);
  return parts.join(' \\\n  ');
}

async function copy(text, block) {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
    return true;
  } catch {
    // Without a secure context there is no clipboard: the text is selected for the keyboard to
    // copy.
    getSelection().selectAllChildren(block);
    say('Selected. Copy it with the keyboard.');
    return false;
  }
}

function copyButton(textOf, block) {
  const button = el('button', { type: 'button', class: 'quiet' }, 'Copy');
  button.addEventListener('click', async () => {
    button.textContent = (await copy(textOf(), block)) ? 'Copied' : 'Selected';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  return button;
}

function tryView(known) {
  known.inputs = new Map();
  const line = code('');
  const refresh = () => { line.firstChild.textContent = curlOf(known); };
  const field = (label, input, hint) => {
    input.id = `${known.id}-${label.toLowerCase()}`;
    if (hint) input.setAttribute('aria-describedby', `${input.id}-hint`);
    return el('div', { class: 'field' }, el('label', { for: input.id }, label), input,
      hint ? el('p', { class: 'hint', id: `${input.id}-hint` }, inline(hint)) : null);
  };
  const rows = known.parameters.map((parameter) => {
    const isKey = parameter.name === 'Idempotency-Key';
    const first = isKey ? (parameter.required ? randomKey() : '') : String(parameter.example ?? exampleOf(parameter.schema));
    const input = el('input', { type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', required: parameter.required, value: first });
    known.inputs.set(parameter.name, input);
    const again = isKey && parameter.required ? 'The same key again gives the recorded answer. Change it for another request.' : null;
    return field(parameter.name, input, again);
  });
  if (known.body) {
    const examples = examplesOf(Object.values(known.body.content)[0]);
    const lines = written(examples[0][1]).split('\n').length;
    known.bodyInput = el('textarea', { rows: Math.max(3, lines), autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
    known.bodyInput.value = written(examples[0][1]);
    if (examples.length > 1) {
      const choice = el('select', {}, examples.map(([title], index) => el('option', { value: index }, title)));
      choice.addEventListener('change', () => {
        known.bodyInput.value = written(examples[choice.value][1]);
        refresh();
      });
      rows.push(field('Example', choice));
    }
    rows.push(field('Body', known.bodyInput));
  }
  known.answer = el('div', { class: 'answer' });
  known.send = el('button', { type: 'submit', class: 'primary' }, 'Send');
  const form = el('form', { novalidate: true, 'aria-label': `Try ${known.method.toUpperCase()} ${known.address}`, on: { input: refresh } }, rows,
    el('p', { class: 'buttons' }, known.send));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const empty = [...known.inputs.values()].find((input) => input.required && input.value === '');
    if (empty) {
      empty.setAttribute('aria-invalid', 'true');
      empty.focus();
      say(`${empty.labels[0].textContent} is needed.`);
      return;
    }
    for (const input of known.inputs.values()) input.removeAttribute('aria-invalid');
    send(known);
  });
  known.refresh = refresh;
  refresh();
  known.details = el('details', { class: 'try' }, el('summary', {}, 'Try it'), form, known.answer);
  return [
    section('From a terminal', el('div', { class: 'copied' }, line, copyButton(() => line.textContent, line))),
    known.details,
  ];
}

// ---- Answers

async function send(known) {
  const request = requestOf(known);
  const headers = { ...request.headers };
  if (token && known.mayBeSigned) headers.Authorization = `Bearer ${token}`;
  known.running?.abort();
  const running = new AbortController();
  known.running = running;
  const stop = el('button', { type: 'button', class: 'quiet', on: { click: () => running.abort() } }, 'Stop');
  known.answer.replaceChildren(el('p', {}, 'Waiting for the answer… ', stop));
  const started = performance.now();
  try {
    const response = await fetch(request.address, {
      method: request.method, headers, body: request.body, signal: running.signal, cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer',
    });
    const took = Math.round(performance.now() - started);
    await show(known, request, response, took, stop);
  } catch (error) {
    if (running.signal.aborted) {
      if (known.running === running) known.answer.append(el('p', {}, 'Stopped.'));
    } else {
      known.answer.replaceChildren(el('p', { class: 'trouble' }, `There was no answer: ${error.message}`));
      say('There was no answer.');
    }
  }
}

async function show(known, request, response, took, stop) {
  const title = `${response.status} ${response.statusText}`.trim();
  const mark = el('strong', { class: `status ${response.ok ? 'good' : 'bad'}` }, title);
  const head = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  const body = boxed('', 'Body of the answer');
  known.answer.replaceChildren(
    el('h5', {}, 'Answer'), el('p', {}, mark, ` after ${took} ms `, known.mayBeSigned && !token ? '(sent without a token)' : ''),
    el('h5', {}, 'Headers of the answer'), code(head), el('h5', {}, 'Body of the answer'), body);
  say(`Answer ${title}.`);
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
    mark.parentNode.append(stop);
    await follow(response, body.firstChild);
    stop.remove();
    return;
  }
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  const all = json === undefined ? text : JSON.stringify(json, null, 2);
  body.firstChild.textContent = all.length > SHOWN_CHARS_MAX ? `${all.slice(0, SHOWN_CHARS_MAX)}\n… ${all.length - SHOWN_CHARS_MAX} more characters` : all;
  known.answer.append(...next(known, request, response.status, json));
}

async function follow(response, target) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    target.textContent = (target.textContent + part.value).slice(-SHOWN_CHARS_MAX);
  }
}

// ---- From one answer to the next request

/**
 * The value of a runtime expression, or the text itself if it is not one; undefined if the answer
 * has no such value.
 */
function valueOf(expression, known, request, body) {
  if (Array.isArray(expression)) {
    const values = expression.map((part) => valueOf(part, known, request, body));
    return values.includes(undefined) ? undefined : values;
  }
  if (expression !== null && typeof expression === 'object') {
    const values = Object.entries(expression).map(([key, part]) => [key, valueOf(part, known, request, body)]);
    return values.some(([, value]) => value === undefined) ? undefined : Object.fromEntries(values);
  }
  const match = /^\$(response|request)\.(body|path|query|header)(?:#(\/.*)|\.(.+))?$/.exec(expression);
  if (!match) return expression;
  const [, side, place, tokens, name] = match;
  if (place !== 'body') return known.inputs.get(name)?.value;
  return pointer(side === 'response' ? body : parsed(request.body), tokensOf(tokens ?? ''));
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

function next(known, request, status, body) {
  const links = resolved(known.operation.responses[status]).links ?? {};
  const buttons = Object.values(links).map(resolved).flatMap((link) => {
    const target = operations.get(link.operationId);
    const parameters = valueOf(link.parameters ?? {}, known, request, body);
    const content = valueOf(link.requestBody ?? {}, known, request, body);
    if (!target || parameters === undefined || content === undefined) return [];
    return [el('button', { type: 'button', class: 'quiet', on: { click: () => fill(target, parameters, content) } }, inline(link.description ?? target.operation.summary))];
  });
  return buttons.length ? [el('h5', {}, 'Go on with this answer'), el('p', { class: 'buttons' }, buttons)] : [];
}

function fill(target, parameters, content) {
  for (const [name, value] of Object.entries(parameters)) {
    const input = target.inputs.get(name);
    if (input) input.value = String(value);
  }
  // Another request, so another key; an operation that needs none gets none.
  const key = target.inputs.get('Idempotency-Key');
  if (key?.value) key.value = randomKey();
  if (target.bodyInput && Object.keys(content).length) target.bodyInput.value = JSON.stringify(content, null, 2);
  target.refresh();
  target.details.open = true;
  target.article.scrollIntoView();
  target.send.focus({ preventScroll: true });
  target.details.scrollIntoView({ block: 'nearest' });
  say(`Filled in: ${target.operation.summary}.`);
}

// ---- The page

function tokenView() {
  const input = el('input', { type: 'password', id: 'token', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'token-hint' });
  input.addEventListener('input', () => { token = input.value.trim().replace(/^bearer\s+/i, ''); });
  return el('section', { class: 'token', 'aria-labelledby': 'token-title' },
    el('h2', { id: 'token-title' }, 'Your token'),
    el('div', { class: 'field' }, el('label', { for: 'token' }, 'Bearer token'), input,
      el('p', { class: 'hint', id: 'token-hint' }, inline('Sent with what you try on this page. It is kept until the page is closed and nowhere else.'))));
}

function tags() {
  const all = [...operations.values()];
  return (description.tags ?? []).map((tag) => ({ ...tag, slug: `tag-${tag.name.toLowerCase().replaceAll(' ', '-')}`, members: all.filter((known) => known.operation.tags?.includes(tag.name)) }));
}

function indexView() {
  const entry = (href, ...children) => el('li', {}, el('a', { href }, children));
  const list = tags().map((tag) => [
    el('li', {}, el('a', { class: 'tag', href: `#${tag.slug}` }, tag.name),
      el('ul', {}, tag.members.map((known) => entry(`#${known.id}`, badge(known.method), el('span', {}, known.operation.summary)))))]);
  const names = Object.keys(description.components?.schemas ?? {});
  list.push(el('li', {}, el('a', { class: 'tag', href: '#schemas' }, 'Schemas'), el('ul', {}, names.map((name) => entry(`#schema-${name}`, name)))));
  const details = el('details', {}, el('summary', {}, 'Contents'), el('ul', {}, list));
  const wide = matchMedia('(min-width: 60rem)');
  const adapt = () => { details.open = wide.matches; };
  wide.addEventListener('change', adapt);
  adapt();
  details.addEventListener('click', (event) => { if (!wide.matches && event.target.closest('a')) details.open = false; });
  return details;
}

function schemasView() {
  return el('section', { 'aria-labelledby': 'schemas' }, el('h2', { id: 'schemas' }, 'Schemas'),
    Object.entries(description.components?.schemas ?? {}).map(([name, schema]) => el('article', { class: 'operation', id: `schema-${name}`, 'aria-labelledby': `schema-${name}-title` },
      el('h3', { id: `schema-${name}-title` }, name), prose(schema.description, 4), schemaView(schema))));
}

function render() {
  const { info } = description;
  document.title = `${info.title} API`;
  collect();
  document.getElementById('index').replaceChildren(indexView());
  document.getElementById('main').replaceChildren(
    el('h1', { id: 'title' }, info.title, ' ', el('small', {}, info.version)),
    ...prose(info.description, 2), tokenView(),
    ...tags().map((tag) => el('section', { 'aria-labelledby': tag.slug }, el('h2', { id: tag.slug }, tag.name), prose(tag.description, 3), tag.members.map(operationView))),
    schemasView());
  // The element that the address names exists only now.
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (place) place.scrollIntoView();
}

async function start() {
  const loading = document.getElementById('loading');
  try {
    const response = await fetch('/openapi.json', { headers: { Accept: 'application/json' } });
    if (!response.ok) throw new Error(`status ${response.status}`);
    description = await response.json();
  } catch (error) {
    loading.textContent = `The description could not be loaded: ${error.message}. `;
    loading.append(el('button', { type: 'button', class: 'quiet', on: { click: () => { loading.textContent = 'Loading the description…'; start(); } } }, 'Try again'));
    return;
  }
  render();
}

start();

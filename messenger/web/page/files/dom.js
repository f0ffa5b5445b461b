// Elements without HTML from text: what strangers wrote only ever becomes a text node.
const svgNames = new Set(['svg', 'path', 'circle', 'text', 'g']);

/** el('button.primary', {onclick}, 'Send', child, …): attributes that are functions are listeners, false and null are left out. */
export function el(what, attrs, ...children) {
  const [name, ...classes] = what.split('.');
  const e = svgNames.has(name) ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  if (classes.length) e.setAttribute('class', classes.join(' '));
  for (const [k, v] of Object.entries(attrs ?? {})) {
    if (v === null || v === undefined || v === false) continue;
    if (typeof v === 'function') e.addEventListener(k.slice(2), v);
    else if (k === 'value' || k === 'checked') e[k] = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

/** replace what an element holds. */
export function fill(e, ...children) {
  e.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

const called = (e) => e.getAttribute('aria-label') ?? (e.querySelector('strong') ?? e).textContent;
/** same is what stands in root for an element that was drawn anew: of the same kind, and called the same. */
export const same = (e, root = document) => [...root.querySelectorAll(e.tagName)].find((x) => called(x) === called(e));

/** redraw draws what root holds anew; who had the focus in there has it again, if the same is still there. */
export function redraw(root, draw) {
  const was = root.contains(document.activeElement) && document.activeElement;
  draw();
  if (was && !was.isConnected) same(was, root)?.focus({ preventScroll: true });
}

/** qr draws a code that the messenger has made. */
export function qr(code, label) {
  return el('svg.qr', { viewBox: `0 0 ${code.size} ${code.size}`, role: 'img', 'aria-label': label }, el('path', { d: code.path }));
}

/** field is a labelled input. */
export function field(label, attrs) {
  const input = el('input', { autocomplete: 'off', ...attrs });
  return [el('label', {}, el('span', {}, label), input), input];
}

export const when = (ms) => {
  const d = new Date(Number(ms)), now = new Date();
  return d.toDateString() === now.toDateString() ? d.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) : d.toLocaleDateString([], { day: 'numeric', month: 'short', year: d.getFullYear() === now.getFullYear() ? undefined : 'numeric' });
};

/** size says bytes as people do. */
export const size = (n) => (n < 1 << 20 ? `${Math.ceil(n / 1024)} kB` : n < 1 << 30 ? `${(n / (1 << 20)).toFixed(1)} MB` : `${(n / (1 << 30)).toFixed(1)} GB`);

// How far files are on their way: between this page and the messenger, and between that and the server.
import { el, size } from './dom.js';
import { listen } from './wire.js';

const running = new Map(); // name → function that is told how far it is
let count = 0;
listen((method, p) => { if (method === 'progress') running.get(p.id)?.(p); });

/** followed makes up a name under which the messenger tells how far something is, and tells f, until the function it returns is called. */
export function followed(f) {
  const name = `page ${Date.now()} ${++count}`;
  running.set(name, f);
  return [name, () => running.delete(name)];
}

/** gauge shows something that is on its way, with a button that gives it up. Its set takes bytes. */
export function gauge(what, cancel) {
  const bar = el('progress', { 'aria-label': what, max: 1 }), text = el('span.soft', {}, what);
  const element = el('div.gauge', {}, bar, text, cancel && el('button.link', { 'aria-label': `Cancel: ${what}`, onclick: () => cancel() }, 'Cancel'));
  return { element, set(done, total, words = what) {
    if (total > 0) bar.value = done / total;
    text.textContent = total > 0 ? `${words} ${size(done)} of ${size(total)}` : words;
  } };
}

// A message that is not sent yet has a place for its gauge, which is filled once it is known that this page sends it, and from then on told from here.
const places = new Map(), sending = new Map(); // time of the message → {place, cancel}, and {done, total, shown}

const draw = (time) => {
  const at = places.get(time), state = sending.get(time);
  if (!at || !state) return;
  state.shown = gauge('On its way to the server:', at.cancel);
  state.shown.set(state.done, state.total);
  at.place.replaceChildren(state.shown.element);
};

/** sends follows the files of a message that is handed over under a name; its time is known from the answer on. */
export function sends() {
  const state = { done: 0, total: 0, shown: null };
  let time = null;
  const [name, end] = followed((p) => {
    if (p.what !== 'uploading') return;
    Object.assign(state, { done: p.done, total: p.total });
    state.shown?.set(p.done, p.total);
    tidy();
  });
  const over = () => { end(); sending.delete(time); };
  const tidy = () => { if (time && state.total && state.done >= state.total && !places.has(time)) over(); }; // a message that waits is shown on: the last bytes may not have arrived
  return { name, over, is(timestamp) {
    time = timestamp;
    sending.set(time, Object.assign(state, { over }));
    draw(time);
    tidy();
  } };
}

/** arrived is told of a message that waits no more. */
export function arrived(m) {
  places.delete(m.timestamp);
  sending.get(m.timestamp)?.over();
}

/** underWay is that place of a message. */
export function underWay(m, cancel) {
  const place = el('div', {});
  places.set(m.timestamp, { place, cancel });
  draw(m.timestamp);
  return place;
}

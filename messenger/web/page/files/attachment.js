// A file in a message. Pictures are made small in a canvas, from their bytes, once they come into sight; everything else is only ever saved.
import { el, size } from './dom.js';
import { followed, gauge } from './progress.js';
import { Cancelled, file, save } from './wire.js';

const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const biggest = 8 << 20; // bytes of a picture that is fetched unasked
const kept = new Map(), most = 100; // file → address of its small picture, the one used last at the end

async function small(a, ref) {
  const have = kept.get(ref);
  if (have) { kept.delete(ref); kept.set(ref, have); return have; }
  const bitmap = await createImageBitmap(new Blob([await file(ref)], { type: a.contentType }), { resizeWidth: 480, resizeQuality: 'medium' });
  const c = el('canvas', { width: bitmap.width, height: bitmap.height });
  c.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await new Promise((r) => c.toBlob(r)), made = { url: URL.createObjectURL(blob), width: c.width, height: c.height };
  kept.set(ref, made);
  for (const [k, v] of kept) if (kept.size > most) { kept.delete(k); URL.revokeObjectURL(v.url); }
  return made;
}

const waiting = new WeakMap();
const sight = new IntersectionObserver((list) => {
  for (const i of list) if (i.isIntersecting) { sight.unobserve(i.target); waiting.get(i.target)?.(); }
}, { rootMargin: '600px' });

export const isPicture = (a) => pictures.includes(a.contentType) && a.size < biggest;

/** picture is a box that gets its picture when it is seen. One that cannot be had is tried again: it may be on its way to the server yet. */
export function picture(a, ref) {
  const box = el('div.picture', {}), pauses = [1000, 3000, 9000]; // milliseconds
  const fetchIt = async () => {
    try {
      const p = await small(a, ref);
      box.replaceChildren(el('img', { src: p.url, width: p.width, height: p.height, alt: a.caption || a.fileName || 'picture' }));
    } catch {
      if (pauses.length && box.isConnected) setTimeout(fetchIt, pauses.shift());
      else box.remove();
    }
  };
  if (kept.has(ref)) fetchIt();
  else { waiting.set(box, fetchIt); sight.observe(box); }
  return box;
}

/** attachment draws a file; unasked says whether its picture may be fetched before anybody asks. While it is fetched one sees how far that is, and can give it up. */
export function attachment(a, ref, unasked, say) {
  const label = `${a.fileName || 'file'} (${size(a.size)})`;
  const get = el('button', { onclick: async () => {
    let stop = () => {};
    const shown = gauge(`Fetching ${a.fileName || 'file'}:`, () => stop()), [progress, end] = followed((p) => shown.set(p.done, p.total));
    get.replaceWith(shown.element);
    try {
      const blob = await file(ref, { progress, got: (done, total) => shown.set(done, total), giveUp: (f) => { stop = f; } });
      save(blob, a.fileName || 'file');
    } catch (e) { if (!(e instanceof Cancelled)) say(e.message); }
    end();
    shown.element.replaceWith(get);
  } }, label);
  return el('div.file', {}, unasked && isPicture(a) && picture(a, ref), get);
}

// A round picture beside a name: a group's own, and the first letters of the name where there is none.
import { el } from './dom.js';
import { call } from './wire.js';

const known = new Map(); // conversation → {url: promise of a blob's address, or of null; over; again: it was drawn once more before the answer came}
const safe = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

async function ask(id) {
  try {
    const { data, type } = await call('getAvatar', { groupId: id });
    if (!safe.includes(type)) return null;
    return URL.createObjectURL(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type }));
  } catch { return null; }
}

/** look asks for a picture. Where there is none it may still be on its way: the next drawing asks again, and so does one that did not wait for the answer. */
function look(id) {
  const one = { over: false, again: false };
  known.set(id, one);
  one.url = ask(id).then((url) => {
    one.over = true;
    if (url || known.get(id) !== one) return url;
    known.delete(id);
    return one.again ? look(id).url : null;
  });
  return one;
}

/** forget is called when a group has changed: its picture is asked for again. */
export function forget(id) {
  known.get(id)?.url.then((url) => { if (url) URL.revokeObjectURL(url); });
  known.delete(id);
}

/** face draws it; who hears the page hears the name beside it only. */
export function face(id, name) {
  let hue = 0;
  for (const c of id) hue = (hue * 31 + c.charCodeAt(0)) % 8;
  const letters = name.split(/\s+/).filter(Boolean).slice(0, 2).map((w) => [...w][0].toUpperCase()).join('');
  const out = el(`span.face.h${hue}`, { 'aria-hidden': 'true' }, /^\p{L}/u.test(letters) ? letters : '#');
  if (!id.startsWith('group:')) return out;
  const have = known.get(id);
  if (have && !have.over) have.again = true;
  (have ?? look(id)).url.then((url) => { if (url) out.replaceChildren(el('img', { src: url, alt: '' })); });
  return out;
}

const side = 512; // pixels of a group's picture

/** square makes a group's picture of a file: its middle, small, as an address that holds it. What else the file has in it, such as where it was taken, is not in there. */
export async function square(file) {
  const bitmap = await createImageBitmap(file).catch(() => { throw new Error(`${file.name} is no picture that this browser can show.`); });
  const from = Math.min(bitmap.width, bitmap.height), c = el('canvas', { width: side, height: side });
  const ctx = c.getContext('2d');
  ctx.fillStyle = '#fff'; // under what is transparent
  ctx.fillRect(0, 0, side, side);
  ctx.drawImage(bitmap, (bitmap.width - from) / 2, (bitmap.height - from) / 2, from, from, 0, 0, side, side);
  bitmap.close();
  return c.toDataURL('image/jpeg', 0.85);
}

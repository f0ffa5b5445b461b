// Reading a QR code: with the camera, from a picture in a file, or from one that was pasted. Nothing of what is seen leaves this tab.
import { el } from './dom.js';

const limit = 1600; // pixels of the longer side that are looked at

/** read finds the code in a picture and returns its bytes; null if there is none. Loaded when somebody scans, not before. */
async function read(source, width, height) {
  const scale = Math.min(1, limit / Math.max(width, height)), canvas = el('canvas', { width: Math.round(width * scale), height: Math.round(height * scale) });
  const ctx = canvas.getContext('2d', { willReadFrequently: true });
  ctx.fillStyle = '#fff'; // under what is transparent
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { decodeQR } = await import('./vendor/qr/decode.js');
  try {
    const text = decodeQR(ctx.getImageData(0, 0, canvas.width, canvas.height), { textDecoder: (bytes) => String.fromCharCode(...bytes) });
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
  } catch { return null; }
}

async function fromFile(file) {
  const bitmap = await createImageBitmap(file).catch(() => { throw new Error(`${file.name || 'What was pasted'} is no picture that this browser can show.`); });
  const found = await read(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  if (!found) throw new Error(`There is no QR code to be read in ${file.name || 'the picture'}: try a sharper one, with some white around the code.`);
  return found;
}

/** film shows what the camera sees until it sees a code, or the panel is gone. */
async function film(box, done) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).catch((e) => { throw new Error(`No camera: ${e.message}`); });
  const video = el('video.qr', { playsinline: true, 'aria-label': 'What the camera sees' });
  video.muted = true;
  video.srcObject = stream;
  box.replaceChildren(video);
  try {
    await video.play();
    for (let found = null; !found && video.isConnected; await new Promise((r) => setTimeout(r, 150))) {
      found = video.videoWidth ? await read(video, video.videoWidth, video.videoHeight) : null;
      if (found && video.isConnected) await done(found);
    }
  } finally { for (const t of stream.getTracks()) t.stop(); video.remove(); }
}

/** scanner is a way to show a code to this page; done gets its bytes, say what went wrong. */
export function scanner(done, say) {
  const box = el('div', {});
  const attempt = async (f) => { try { await f(); } catch (e) { say(e.message); } };
  const use = (file) => attempt(async () => done(await fromFile(file)));
  const input = el('input', { type: 'file', accept: 'image/*', hidden: true, 'aria-label': 'Picture of a QR code', onchange: () => { if (input.files.length) use(input.files[0]); input.value = ''; } });
  return el('div', { tabindex: 0, role: 'group', 'aria-label': 'Scan a QR code: camera, file, or paste a picture here', onpaste: (e) => { if (e.clipboardData.files.length) { e.preventDefault(); use(e.clipboardData.files[0]); } } },
    el('button', { onclick: () => attempt(() => film(box, done)), disabled: !navigator.mediaDevices }, 'Scan with the camera'), ' ', el('button', { onclick: () => input.click() }, 'From a picture…'), input, box);
}

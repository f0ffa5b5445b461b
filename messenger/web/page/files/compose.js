// Where one writes: text, files, and what is answered.
import { el, fill } from './dom.js';
import { gauge, sends } from './progress.js';
import { call, Cancelled, upload } from './wire.js';

const drafts = new Map(); // conversation → what was not sent yet
let keep = () => {}; // the newest of them, in the messenger: another page, or this one loaded anew, goes on with it
addEventListener('pagehide', () => keep());

/** compose is the field of a conversation, by its target; draft is what stands in it. It has reply (to a message), add (files), and focus. */
export function compose({ id, target, called, say, draft = '' }) {
  let quoted = null, files = [], told = 0;
  const text = el('textarea', { rows: 1, 'aria-label': 'Message', placeholder: 'Message' });
  const waiting = el('div.soft.grow', {});
  const picker = el('input', { type: 'file', multiple: true, hidden: true, 'aria-label': 'Files to send', onchange: () => { add(picker.files); picker.value = ''; } });
  const grow = () => { text.rows = Math.min(text.value.split('\n').length, 8); };

  const note = () => fill(waiting, quoted && el('span.chip', {}, `Reply to ${called(quoted.author)}: ${(quoted.body || 'a file').slice(0, 60)} `, el('button.link', { 'aria-label': 'Do not reply to it', onclick: () => { quoted = null; note(); text.focus(); } }, '×')),
    files.map((f) => el('span.chip', {}, `${f.name} `, el('button.link', { 'aria-label': `Leave out ${f.name}`, onclick: () => { files = files.filter((x) => x !== f); note(); text.focus(); } }, '×'))));
  const add = (list) => { files.push(...list); note(); text.focus(); };
  const send = async () => {
    if (!text.value.trim() && !files.length) return;
    const message = text.value, with_ = files, was = quoted, quote = quoted ? { quoteTimestamp: quoted.timestamp, quoteAuthor: quoted.author } : {};
    text.value = '';
    written();
    files = [];
    quoted = null;
    grow();
    note();
    let stop = () => {}, given = false;
    const way = gauge(with_.length > 1 ? `Taking in ${with_.length} files:` : `Taking in ${with_[0]?.name}:`, () => { given = true; stop(); }), uploads = [], all = with_.reduce((n, f) => n + f.size, 0);
    const following = with_.length ? sends() : null;
    if (with_.length) waiting.before(way.element);
    try {
      let before = 0;
      for (const f of with_) {
        uploads.push(await upload(f, { sent: (done) => way.set(before + done, all), giveUp: (f) => { stop = f; } }));
        before += f.size;
        if (given) throw new Cancelled('Given up.');
      }
      const { timestamp } = await call('send', { ...target, message, uploads, noWait: true, progress: following?.name, ...quote });
      following?.is(timestamp);
    } catch (e) {
      following?.over();
      for (const id of uploads) call('discardUpload', { id }).catch(() => {}); // those that were sent are not there any more
      if (!(e instanceof Cancelled)) say(e.message);
      if (!text.value) { text.value = message; written(); }
      files = [...with_, ...files];
      quoted ??= was;
      note();
    }
    way.element.remove();
  };

  let soon = 0;
  const written = () => {
    drafts.set(id, text.value);
    clearTimeout(soon);
    keep = () => { clearTimeout(soon); keep = () => {}; call('setDraft', { ...target, message: text.value.trim() && text.value }, true).catch(() => {}); };
    soon = setTimeout(keep, 500);
  };
  keep();
  text.value = drafts.get(id) ?? draft;
  text.addEventListener('input', () => {
    if (Date.now() - told > 5000) { told = Date.now(); call('sendTyping', target).catch(() => {}); }
    written();
    grow();
  });
  text.addEventListener('keydown', (e) => { if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); } });
  text.addEventListener('paste', (e) => { if (e.clipboardData.files.length) { e.preventDefault(); add(e.clipboardData.files); } });
  grow();
  return {
    element: el('div.compose', {}, waiting, el('button', { onclick: () => picker.click(), 'aria-label': 'Add files' }, '+'), picker, text, el('button.primary', { onclick: send }, 'Send')),
    add, focus: () => text.focus(),
    reply(m) { quoted = m; note(); text.focus(); },
  };
}

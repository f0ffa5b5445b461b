// Where one writes: text, files, and what is answered.
import { el, fill } from './dom.js';
import { call, upload } from './wire.js';

const drafts = new Map(); // conversation → what was not sent yet

/** compose is the field of a conversation, by its target. It has reply (to a message), add (files), and focus. */
export function compose({ id, target, called, say }) {
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
    const message = text.value, with_ = files, quote = quoted ? { quoteTimestamp: quoted.timestamp, quoteAuthor: quoted.author } : {};
    text.value = '';
    drafts.delete(id);
    files = [];
    quoted = null;
    grow();
    note();
    try {
      const uploads = [];
      for (const f of with_) uploads.push(await upload(f));
      await call('send', { ...target, message, uploads, noWait: true, ...quote });
    } catch (e) { say(e.message); text.value = message; files = with_; note(); }
  };

  text.value = drafts.get(id) ?? '';
  text.addEventListener('input', () => {
    if (Date.now() - told > 5000) { told = Date.now(); call('sendTyping', target).catch(() => {}); }
    drafts.set(id, text.value);
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

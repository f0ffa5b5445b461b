// One conversation: its messages, the newest at the bottom, older ones as one scrolls up.
import { el, field, fill, when } from './dom.js';
import { verify } from './verify.js';
import { call, file, save, upload } from './wire.js';

export const target = (id) => (id.startsWith('group:') ? { groupId: id } : { recipient: [id] });
const page = 50;
const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const marks = { failed: '⚠ not sent', queued: '◷ waiting', sent: '✓ sent', delivered: '✓✓ delivered', read: '✓✓ read' };
const order = Object.keys(marks);

function state(m) {
  const all = Object.values(m.delivery ?? {});
  const worst = all.reduce((a, d) => (a === null || order.indexOf(d.state) < order.indexOf(a.state) ? d : a), null);
  return worst ? `${marks[worst.state]}${worst.why ? `: ${worst.why}` : ''}` : '';
}

/** talk shows a conversation in root. called names people; me is one's own number; again comes back from what is beside it; say tells what went wrong. It returns what to do with events. */
export function talk(root, conversation, called, say, back, me, again) {
  const id = conversation.id, group = id.startsWith('group:');
  const log = el('div.log', { role: 'log', tabindex: 0, 'aria-label': `Messages with ${conversation.name}` });
  const shown = new Map();
  let oldest = 0, more = true, loading = false, quoted = null, files = [];
  const text = el('textarea', { rows: 1, 'aria-label': 'Message', placeholder: 'Message' });
  const waiting = el('div.soft.grow', {}), typing = el('span.soft', { 'aria-live': 'polite' });
  const picker = el('input', { type: 'file', multiple: true, hidden: true, onchange: () => { add(picker.files); picker.value = ''; } });

  const draw = (m) => {
    if (m.kind === 'notice') return el(`div.notice${/changed|missing|differ|gap|fork|equivoc/.test(m.notice ?? '') ? '.alarm' : ''}`, {}, m.body);
    const acts = el('span.acts', {}, el('button.link', { onclick: () => { quoted = m; note(); text.focus(); } }, 'Reply'),
      ['👍', '❤️', '😂'].map((emoji) => el('button.link', { 'aria-label': `React with ${emoji}`, onclick: () => call('sendReaction', { ...target(id), targetAuthor: m.author, targetTimestamp: m.timestamp, emoji }).catch((e) => say(e.message)) }, emoji)),
      m.outgoing && !m.deleted && el('button.link', { onclick: () => { const said = prompt('What it should say; everybody keeps what it said before', m.body); if (said) call('send', { ...target(id), editTimestamp: m.timestamp, message: said }).catch((e) => say(e.message)); } }, 'Edit'),
      m.outgoing && el('button.link', { onclick: () => call('remoteDelete', { ...target(id), targetTimestamp: m.timestamp }).catch((e) => say(e.message)) }, 'Take back'),
      m.outgoing && Object.values(m.delivery ?? {}).some((d) => d.state === 'failed') && el('button.link', { onclick: () => call('retryMessage', { seq: m.seq }).catch((e) => say(e.message)) }, 'Try again'));
    return el(`div.m${m.outgoing ? '.mine' : ''}`, {}, group && !m.outgoing && el('div.who', {}, called(m.author)),
      m.quote && el('blockquote', {}, `${called(m.quote.author)}: ${m.quote.text}`), m.deleted ? el('em.soft', {}, 'taken back') : m.body, (m.attachments ?? []).map((a, i) => attachment(a, `${m.seq}/${i}`)),
      m.reactions?.length && el('div', {}, m.reactions.map((r) => el('span', { title: called(r.author) }, `${r.emoji} `))),
      el('div.meta', {}, when(m.timestamp), m.edited && el('span', { title: (m.edits ?? []).map((v) => v.body).join('\n→ ') }, ' · edited'), m.expires && ` · disappears after ${m.expires} s`, m.vouchers?.length && ` · only on the word of ${m.vouchers.map(called).join(', ')}`, m.outgoing && ` · ${state(m)}`, ' ', acts));
  };

  const attachment = (a, ref) => {
    const box = el('div', {});
    const get = el('button', { onclick: async () => {
      get.disabled = true;
      try { save(await file(ref), a.fileName || 'file'); } catch (e) { say(e.message); }
      get.disabled = false;
    } }, `${a.fileName || 'file'} (${Math.ceil(a.size / 1024)} kB)`);
    box.append(get);
    if (pictures.includes(a.contentType) && a.size < 8 << 20) file(ref).then(async (b) => {
      const bitmap = await createImageBitmap(new Blob([b], { type: a.contentType }), { resizeWidth: 480, resizeQuality: 'medium' });
      const c = el('canvas', { width: bitmap.width, height: bitmap.height });
      c.getContext('2d').drawImage(bitmap, 0, 0);
      c.toBlob((small) => { if (small) box.prepend(el('img', { src: URL.createObjectURL(small), alt: a.caption || a.fileName || 'picture' })); });
    }).catch(() => {});
    return box;
  };

  const put = (m) => {
    const e = draw(m), old = shown.get(m.seq);
    if (old) old.replaceWith(e);
    else log.append(e);
    shown.set(m.seq, e);
  };
  const load = async () => {
    if (loading || !more) return;
    loading = true;
    try {
      const list = await call('listMessages', { ...target(id), before: oldest, limit: page });
      more = list.length === page;
      const height = log.scrollHeight;
      log.prepend(...list.map((m) => { const e = draw(m); shown.set(m.seq, e); return e; }));
      log.scrollTop += log.scrollHeight - height;
      if (list.length) oldest = list[0].seq;
    } catch (e) { say(e.message); }
    loading = false;
  };
  log.addEventListener('scroll', () => { if (log.scrollTop < 300) load(); });

  const note = () => fill(waiting, quoted && [`Reply to: ${quoted.body.slice(0, 60)} `, el('button.link', { onclick: () => { quoted = null; note(); } }, '×')], files.map((f) => [` ${f.name} `, el('button.link', { 'aria-label': `Leave out ${f.name}`, onclick: () => { files = files.filter((x) => x !== f); note(); } }, '×')]));
  const add = (list) => { files.push(...list); note(); };
  const send = async () => {
    if (!text.value.trim() && !files.length) return;
    const message = text.value, with_ = files, quote = quoted ? { quoteTimestamp: quoted.timestamp, quoteAuthor: quoted.author } : {};
    text.value = '';
    files = [];
    quoted = null;
    note();
    try {
      const uploads = [];
      for (const f of with_) uploads.push(await upload(f));
      await call('send', { ...target(id), message, uploads, noWait: true, ...quote });
    } catch (e) { say(e.message); text.value = message; files = with_; note(); }
  };
  let told = 0;
  text.addEventListener('input', () => { if (Date.now() - told > 5000) { told = Date.now(); call('sendTyping', target(id)).catch(() => {}); } text.rows = Math.min(text.value.split('\n').length, 8); });
  text.addEventListener('keydown', (e) => { if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); } });
  text.addEventListener('paste', (e) => { if (e.clipboardData.files.length) add(e.clipboardData.files); });
  root.ondragover = (e) => e.preventDefault();
  root.ondrop = (e) => { e.preventDefault(); add(e.dataTransfer.files); };

  const request = !conversation.accepted && el('div.bar', {}, `${conversation.name} would like to write to you. `, ['accept', 'block'].map((type) => el('button', { onclick: (e) => call('sendMessageRequestResponse', { ...target(id), type }).then(() => e.target.parentElement.remove(), (x) => say(x.message)) }, type === 'accept' ? 'Accept' : 'Block')));
  fill(root, el('header', {}, el('button.back', { onclick: back, 'aria-label': 'Back to the list' }, '←'), el('h1.grow', {}, conversation.name), typing,
    el('button', { onclick: (e) => { conversation.muted = !conversation.muted; e.target.textContent = conversation.muted ? 'Unmute' : 'Mute'; call('mute', { ...target(id), muted: conversation.muted }).catch((x) => say(x.message)); } }, conversation.muted ? 'Unmute' : 'Mute'),
    el('button', { onclick: () => details(root, conversation, called, say, again) }, 'Details'),
    !group && el('button', { onclick: () => verify(root, conversation, me, say, again) }, 'Verify')),
  request, log, el('div.compose', {}, waiting, el('button', { onclick: () => picker.click(), 'aria-label': 'Add files' }, '+'), picker, text, el('button.primary', { onclick: send }, 'Send')));
  const read = () => { if (document.visibilityState === 'visible') call('markRead', target(id)).catch(() => {}); };
  load().then(() => { log.scrollTop = log.scrollHeight; read(); });
  text.focus();
  let clear = 0;
  return (e) => {
    if (e.conversation !== id) return;
    if (e.type === 'message') {
      const low = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
      put(e.message);
      if (low || e.message.outgoing) log.scrollTop = log.scrollHeight;
      read();
    }
    if (e.type === 'update' && shown.has(e.message.seq)) put(e.message);
    if (e.type === 'gone' && e.message) { shown.get(e.message.seq)?.remove(); shown.delete(e.message.seq); }
    if (e.type === 'typing') { typing.textContent = e.stopped ? '' : `${called(e.author)} is writing…`; clearTimeout(clear); clear = setTimeout(() => { typing.textContent = ''; }, 10000); }
  };
}

/** details are the timer, and who is in a group. */
async function details(root, conversation, called, say, done) {
  const id = conversation.id, group = id.startsWith('group:');
  const again = () => details(root, conversation, called, say, done);
  const act = (method, params, then = again) => async () => { try { await call(method, params); say('Done.'); then(); } catch (e) { say(e.message); } };
  try {
    const timer = el('select', { 'aria-label': 'Messages disappear', onchange: () => act(group ? 'updateGroup' : 'updateContact', { ...target(id), expiration: Number(timer.value) })() },
      [[0, 'Messages stay'], [300, 'Messages disappear 5 minutes after they were read'], [3600, 'after an hour'], [86400, 'after a day'], [604800, 'after a week']].map(([v, t]) => el('option', { value: v }, t)));
    const parts = [];
    if (group) {
      const [g, seen] = [(await call('listGroups')).find((x) => x.conversation === id), await call('groupConsistency', { groupId: id })];
      const [label, input] = field('Add somebody', {});
      timer.value = String(g.messageExpirationTime);
      const admins = new Set(g.admins.map((m) => m.number));
      parts.push(el('h2', {}, `${g.members.length} members`), el('ul', {}, g.members.map((m) => el('li', {}, called(m.number), admins.has(m.number) && ' (admin)', ' ', el('button.link', { onclick: act('updateGroup', { groupId: id, removeMembers: [m.number] }) }, 'Remove')))),
        label, el('button', { onclick: () => act('updateGroup', { groupId: id, members: [input.value] })() }, 'Add'), ' ', el('button', { onclick: act('quitGroup', { groupId: id }, done) }, 'Leave the group'),
        el('p.soft', {}, seen.seenByAll ? `Everybody has seen everything up to ${new Date(seen.seenByAll).toLocaleString()}.` : 'What everybody has seen is not known yet.'),
        seen.missing > 0 && el('p.error', {}, `${seen.missing} messages are missing here. `, el('button', { onclick: act('askForMissing', { groupId: id }) }, 'Ask for them')));
    } else {
      timer.value = String(conversation.expires ?? 0);
      const [label, input] = field('What you call this person', { value: conversation.name });
      parts.push(label, el('button', { onclick: () => act('updateContact', { ...target(id), name: input.value }, done)() }, 'Set the name'), el('p', {}, el('button', { onclick: act('block', target(id), done) }, 'Block')));
    }
    fill(root, el('div.panel', {}, el('button', { onclick: done }, '← Back'), el('h1', {}, conversation.name), timer, parts));
  } catch (e) { say(e.message); }
}

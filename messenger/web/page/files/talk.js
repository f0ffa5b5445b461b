// One conversation: its messages, and where one writes.
import { compose } from './compose.js';
import { ask } from './dialog.js';
import { el, fill } from './dom.js';
import { messages } from './log.js';
import { message } from './message.js';
import { call, target } from './wire.js';

const dayOf = (m) => new Date(Number(m.received || m.timestamp)).toDateString();
const dayName = (m) => {
  const d = new Date(Number(m.received || m.timestamp)), days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(d).setHours(0, 0, 0, 0)) / 86400e3);
  return days === 0 ? 'Today' : days === 1 ? 'Yesterday' : d.toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long', year: days < 300 ? undefined : 'numeric' });
};

/** talk shows a conversation in root, at message number at if that is given. called names people; verify and details open those; again shows it anew; say tells what went wrong. It returns what to do with events. */
export function talk(root, conversation, { called, say, back, again, verify, details, at }) {
  const id = conversation.id, group = id.startsWith('group:'), to = target(id), accepted = conversation.accepted || !conversation.lastSeq;
  let unread = null; // the first message that was not read when one came
  const title = el('h1.grow', {}, conversation.name), typing = el('span.soft', { 'aria-live': 'polite' }), spoken = el('div.unseen', { 'aria-live': 'polite' });
  const field = compose({ id, target: to, called, say, draft: conversation.draft });

  const quoted = async (q) => {
    try { log.jump((await call('getMessage', { author: q.author, timestamp: q.timestamp })).seq); } catch (e) { say(e.message); }
  };
  const edit = (m) => ask({ title: 'Edit the message', text: 'Everybody keeps what it said before, and can look at it.', action: 'Change it', fields: [{ name: 'message', label: 'What it should say', lines: 4, value: m.body, required: true }],
    submit: ({ message }) => call('send', { ...to, editTimestamp: m.timestamp, message }) });
  const context = { target: to, group, accepted, called, say, quoted, edit, reply: field.reply, verify: () => verify(id), compare: verify };
  const lines = (m, before) => {
    if (!before) mark = log.shown().findLast((x) => x.kind === 'text' && x.timestamp <= everybody)?.seq ?? 0;
    return [
      before && before.seq === mark && el('p.line.mark', { title: 'Their own messages say so' }, '✓ Everybody has all above'),
      m && (!before || dayOf(m) !== dayOf(before)) && el('p.line.day', {}, dayName(m)),
      m && m.seq === unread && el('p.line.new', {}, 'New'),
    ].filter(Boolean);
  };
  let mark = 0, everybody = 0, soon = 0, turn = 0; // the last message that everybody has, and its time
  const watermark = () => {
    clearTimeout(soon);
    if (group) soon = setTimeout(async () => { const now = ++turn; try { const { seenByAll } = await call('groupConsistency', to); if (now === turn && seenByAll !== everybody) { everybody = seenByAll; log.rule(); } } catch { /* it is said elsewhere */ } }, 300);
  };
  let asked = false;
  const read = () => {
    if (asked || document.visibilityState !== 'visible') return;
    asked = true;
    setTimeout(() => { asked = false; call('markRead', to).catch(() => {}); }, 200);
  };
  const log = messages({ target: to, name: conversation.name, draw: (m) => {
    if ((unread === null || m.seq < unread) && conversation.unread && m.kind === 'text' && !m.outgoing && !m.seen) unread = m.seq;
    return message(m, context);
  }, lines, end: read, say });

  const files = (e) => [...(e.dataTransfer?.types ?? [])].includes('Files');
  root.ondragover = (e) => { if (files(e)) { e.preventDefault(); root.classList.add('dropping'); } };
  root.ondragleave = (e) => { if (!root.contains(e.relatedTarget)) root.classList.remove('dropping'); };
  root.ondrop = (e) => { if (files(e)) { e.preventDefault(); root.classList.remove('dropping'); field.add(e.dataTransfer.files); } };

  const request = !accepted && el('div.bar', {}, `${conversation.name} would like to write to you. `, ['accept', 'block'].map((type) => el('button', { onclick: () => call('sendMessageRequestResponse', { ...to, type }).then(() => again(), (x) => say(x.message)) }, type === 'accept' ? 'Accept' : 'Block')));
  fill(root, el('header', {}, el('button.back', { onclick: back, 'aria-label': 'Back to the list' }, '←'), title, typing,
    el('button', { onclick: (e) => { conversation.muted = !conversation.muted; e.target.textContent = conversation.muted ? 'Unmute' : 'Mute'; call('mute', { ...to, muted: conversation.muted }).catch((x) => say(x.message)); } }, conversation.muted ? 'Unmute' : 'Mute'),
    el('button', { onclick: details }, 'Details'),
    !group && verify && el('button', { onclick: context.verify }, 'Verify')),
  request, log.element, spoken, field.element);
  watermark();
  if (at) log.jump(at);
  else { log.newest(); field.focus(); }
  let clear = 0;
  return { jump: log.jump, rename(name) { title.textContent = name; }, event(e) {
    if (e.conversation !== id) return;
    if (e.type === 'message') {
      log.add(e.message);
      watermark();
      if (!e.message.outgoing) { spoken.textContent = `${e.message.kind === 'text' ? `${called(e.message.author)}: ` : ''}${e.message.body || 'a file'}`; typing.textContent = ''; }
    }
    if (e.type === 'update') log.change(e.message);
    if (e.type === 'gone' && e.message) log.remove(e.message.seq);
    if (e.type === 'typing') { typing.textContent = e.stopped ? '' : `${called(e.author)} is writing…`; clearTimeout(clear); clear = setTimeout(() => { typing.textContent = ''; }, 10000); }
  } };
}

// One message as it is drawn.
import { attachment } from './attachment.js';
import { over } from './dialog.js';
import { el, when } from './dom.js';
import { notice } from './notice.js';
import { arrived, underWay } from './progress.js';
import { call } from './wire.js';

const marks = { failed: '⚠ not sent', queued: '◷ waiting', sent: '✓ sent', delivered: '✓✓ delivered', read: '✓✓ read' };
const order = Object.keys(marks);

function state(m) {
  const all = Object.values(m.delivery ?? {});
  const worst = all.reduce((a, d) => (a === null || order.indexOf(d.state) < order.indexOf(a.state) ? d : a), null);
  return worst ? `${marks[worst.state]}${worst.why ? `: ${worst.why}` : ''}` : '';
}

/** waits tells whether somebody is still to get it. */
const waits = (m) => Object.values(m.delivery ?? {}).some((d) => d.state === 'queued');
const clock = (ms) => new Date(Number(ms)).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

/** span says how long messages stay. */
export function span(seconds) {
  const [n, unit] = [[604800, 'week'], [86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']].map(([s, u]) => [seconds / s, u]).find(([x]) => Number.isInteger(x));
  return `${n} ${unit}${n === 1 ? '' : 's'}`;
}

/** earlier shows what a message has said before it was edited. */
const earlier = (m, button) => over(button, 'What it said before', el('ol.earlier', {}, (m.edits ?? []).map((v) => el('li', {}, el('div.soft', {}, when(v.timestamp), ' ', clock(v.timestamp)), v.body)), el('li', {}, el('div.soft', {}, 'now'), m.body)));

/** way shows how far the files of a message of ours are, as long as somebody is still to get it. */
function way(m, c) {
  if (!m.outgoing || !m.attachments?.length) return null;
  if (!waits(m)) return void arrived(m);
  return underWay(m, () => call('deleteMessage', { seq: m.seq }).then(() => c.say('Given up: who has not got it never will.'), (e) => c.say(e.message)));
}

/** message draws it; c is the conversation: target, group, accepted, called, reply, quoted, verify, compare (with a number) and say. */
export function message(m, c) {
  if (m.kind === 'notice') return notice(m, c);
  const act = (label, method, params, name) => el('button.link', { 'aria-label': name, onclick: () => call(method, params).catch((e) => c.say(e.message)) }, label);
  const failed = Object.entries(m.delivery ?? {}).filter(([, d]) => d.state === 'failed'), held = failed.find(([, d]) => d.held)?.[0];
  const acts = !m.deleted && el('span.acts', {}, el('button.link', { onclick: () => c.reply(m) }, 'Reply'),
    ['👍', '❤️', '😂'].map((emoji) => act(emoji, 'sendReaction', { ...c.target, targetAuthor: m.author, targetTimestamp: m.timestamp, emoji }, `React with ${emoji}`)),
    m.outgoing && el('button.link', { onclick: () => c.edit(m) }, 'Edit'),
    m.outgoing && act('Take back', 'remoteDelete', { ...c.target, targetTimestamp: m.timestamp }),
    held && el('button.link', { onclick: () => c.compare(held) }, 'Compare now'),
    failed.some(([, d]) => !d.held) && act('Try again', 'retryMessage', { seq: m.seq }));
  return el(`div.m${m.outgoing ? '.mine' : ''}`, {}, c.group && !m.outgoing && el('div.who', {}, c.called(m.author)),
    m.quote && el('button.quote', { onclick: () => c.quoted(m.quote) }, el('strong', {}, c.called(m.quote.author)), ' ', m.quote.text || 'a file'),
    m.deleted ? el('em.soft', {}, 'taken back') : m.body, (m.attachments ?? []).map((a, i) => attachment(a, `${m.seq}/${i}`, c.accepted || m.outgoing, c.say)),
    way(m, c),
    m.reactions?.length && el('div.reactions', {}, m.reactions.map((r) => el('span', { title: c.called(r.author), role: 'img', 'aria-label': `${r.emoji} from ${c.called(r.author)}` }, r.emoji))),
    el('div.meta', {}, clock(m.timestamp), m.edited && [' · ', el('button.link.edited', { 'aria-expanded': 'false', 'aria-haspopup': 'true', onclick: (e) => earlier(m, e.currentTarget) }, 'edited')], m.expires && ` · stays ${span(m.expires)}`, m.vouchers?.length && ` · only on the word of ${m.vouchers.map(c.called).join(', ')}`, m.outgoing && ` · ${state(m)}`, ' ', acts));
}

// What this device has to say in a conversation: that a key has changed, that something is missing, who came and went.
import { el, fill, when } from './dom.js';
import { call } from './wire.js';

const alarming = /changed|missing|differ|gap$|fork|equivoc/;

/** keyChanged says what has probably happened, and what to do. */
const keyChanged = (m, c) => [` Most often that is a new phone, or the messenger installed anew${m.notice === 'key-changed' ? '. Before you write what matters, ask' : '; sometimes it is somebody in between. Ask'} by another way, by telephone or in person, and compare. `,
  !c.group && el('button', { onclick: c.verify }, 'Compare now')];

/** whether a notice is about the key of the conversation's own person, and not said by somebody else about it. */
const ofKey = (m, c) => (m.notice ?? '').startsWith('key-changed') ? keyChanged(m, c) : m.notice === 'introduction-differs' && c.target.recipient?.[0] === m.author && [' ', el('button', { onclick: c.verify }, 'Compare now')];

/** gap is something that others have answered and that is not here. */
const gap = (c) => [' ', el('button', { onclick: async (e) => {
  e.target.disabled = true;
  try { await call('askForMissing', c.target); c.say('The others are asked for it. Who has it sends it on.'); } catch (x) { c.say(x.message); }
  e.target.disabled = false;
} }, 'Ask for it now')];

/** versions shows what a member told some, beside what he told others, and who is known to have which. */
function versions(m, c) {
  const box = el('div.versions', {});
  call('getMessage', { seq: m.seq }).then((full) => {
    if (!full.versions) return fill(box, m.body); // of an older program's
    fill(box, el('p', {}, el('strong', {}, `${c.called(m.author)} told members of this group different things.`), ' Each of these has the same place in the conversation:'),
      el('div.both', {}, full.versions.map((v) => el('div.version', {}, el('blockquote', {}, v.message ? v.message.body || 'a file' : el('em.soft', {}, 'is not here any more')),
        el('div.soft', {}, v.confirmedBy.length ? `Seen by ${v.confirmedBy.map((n) => (n === m.author ? `${c.called(n)}, who wrote it` : c.called(n))).join('; ')}` : 'Nobody’s own messages show that they have it'),
        v.message?.vouchers?.length > 0 && el('div.soft', {}, `Came from ${v.message.vouchers.map(c.called).join(', ')} only, who could have made it up`)))),
      el('p', {}, 'A program that works does not do that. Ask the others what they see before you act on either.'));
  }, () => fill(box, m.body));
  return box;
}

/** notice draws one; c as for message. */
export function notice(m, c) {
  return el(`div.notice${alarming.test(m.notice ?? '') ? '.alarm' : ''}`, { title: when(m.received) }, m.notice === 'equivocation' ? versions(m, c) : m.body,
    ofKey(m, c), m.notice === 'gap' && gap(c));
}

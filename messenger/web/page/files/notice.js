// What this device has to say in a conversation: that a key has changed, that something is missing, who came and went.
import { el, when } from './dom.js';

const alarming = /changed|missing|differ|gap$|fork|equivoc/;

/** keyChanged says what has probably happened, and what to do. */
const keyChanged = (m, c) => [` Most often that is a new phone, or the messenger installed anew${m.notice === 'key-changed' ? '. Before you write what matters, ask' : '; sometimes it is somebody in between. Ask'} by another way, by telephone or in person, and compare. `,
  !c.group && el('button', { onclick: c.verify }, 'Compare now')];

/** whether a notice is about the key of the conversation's own person, and not said by somebody else about it. */
const ofKey = (m, c) => (m.notice ?? '').startsWith('key-changed') ? keyChanged(m, c) : m.notice === 'introduction-differs' && c.target.recipient?.[0] === m.author && [' ', el('button', { onclick: c.verify }, 'Compare now')];

/** notice draws one; c as for message. */
export function notice(m, c) {
  return el(`div.notice${alarming.test(m.notice ?? '') ? '.alarm' : ''}`, { title: when(m.received) }, m.body, ofKey(m, c));
}

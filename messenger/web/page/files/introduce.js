// Two people whom one has both compared numbers with are told each other's keys.
import { el } from './dom.js';
import { call } from './wire.js';

const called = (k) => k.name || k.profileName || k.username || k.number;

/** introduced is the plain sentence about a key that somebody has vouched for, or null. i is an identity, name whose it is. */
export function introduced(i, name, by) {
  if (i.doubt) return `${by(i.doubt)} has introduced ${name} to you by another key than the one here. One of the two is not ${name}’s: most often one is from before a new phone, but it may be somebody in between. Nothing is sent until you decide. Ask by another way, by telephone or in person, and compare.`;
  if (i.introduced) return `${i.introduced.name} introduced ${name} to you on ${new Date(i.introduced.when).toLocaleDateString()}: the key here is the one that ${i.introduced.name} has compared. That is the word of ${i.introduced.name}; comparing yourself is worth more.`;
  return null;
}

/** introduce lets one choose to whom a conversation's person, who is verified, is introduced. people are the contacts. */
export function introduce(conversation, people, say) {
  const others = people.filter((k) => k.trust === 'verified' && k.number !== conversation.id);
  if (!others.length) return el('p.soft', {}, `Once you have compared numbers with somebody else too, you can introduce ${conversation.name} here.`);
  const whom = el('select', { 'aria-label': `Whom ${conversation.name} is introduced to` }, others.map((k) => el('option', { value: k.number }, called(k))));
  const act = async () => {
    try {
      await call('introduce', { recipient: [conversation.id, whom.value] });
      say(`${conversation.name} and ${called(others.find((k) => k.number === whom.value))} are told each other’s keys, with your signature.`);
    } catch (e) { say(e.message); }
  };
  return [el('h2', {}, `Introduce ${conversation.name} to…`), el('p.soft', {}, 'Both are told which key the other has, with your signature; nothing else. If the server shows one of them another key, it is noticed.'), whom, ' ', el('button', { onclick: act }, 'Introduce')];
}

/** naming names people. */
export const naming = (people) => (number) => { const k = people.find((x) => x.number === number); return k ? called(k) : number; };

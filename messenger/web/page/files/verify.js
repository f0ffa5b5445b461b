// Is it this person? Scan first; otherwise each reads one half of the digits to the other.
import { el, field, fill, qr } from './dom.js';
import { introduce, introduced, naming } from './introduce.js';
import { scanner } from './scan.js';
import { call } from './wire.js';

const states = {
  TRUSTED_VERIFIED: 'You have compared this number: it is this person.',
  TRUSTED_UNVERIFIED: 'Not compared yet: that it is this person is the server’s word.',
  UNTRUSTED: 'The key has changed since you last looked. Usually that is a new phone, or the messenger installed again; sometimes it is somebody in between. Nothing is sent until you decide. Ask by another way, by telephone or in person, and compare.',
};
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const digits = (s) => s.replace(/\D/g, '');
const five = (s) => s.match(/.{5}/g).join(' ');

/** verify shows it in root, for the person of a conversation. me is one's own number: whose is the smaller one reads first, so that both pages agree. */
export async function verify(root, conversation, me, say, done) {
  const to = { recipient: [conversation.id] };
  const act = async (params) => { try { await call('trust', { ...to, ...params }); say('Done.'); done(); } catch (e) { say(e.message); } };
  try {
    const [i] = await call('listIdentities', { number: conversation.id });
    if (!i) throw new Error(`There is no key of ${conversation.name} here yet: write first.`);
    const people = await call('listContacts');
    const code = await call('qrCode', { data: i.scannableSafetyNumber });
    const all = digits(i.safetyNumber), first = me < conversation.id, mine = first ? all.slice(0, 30) : all.slice(30);
    const [label, typed] = field(`Type the half that ${conversation.name} reads to you: 30 digits`, { inputmode: 'numeric' });
    const compare = () => {
      const said = digits(typed.value);
      if (said.length !== 30) return say(`30 digits are wanted; these are ${said.length}.`);
      return act({ verifiedSafetyNumber: first ? mine + said : said + mine });
    };
    fill(root, el('div.panel', {}, el('button', { onclick: done }, '← Back'), el('h1', {}, `Is this ${conversation.name}?`), el(i.trustLevel === 'UNTRUSTED' ? 'p.error' : 'p', {}, introduced(i, conversation.name, naming(people)) ?? states[i.trustLevel]),
      el('h2', {}, 'Face to face: scan'), el('p', {}, 'Scan the code on the other one’s screen, and let the other one scan this one.'), qr(code, 'Safety number as a QR code'), scanner((scanned) => act({ scanned: base64(scanned) }), say),
      el('h2', {}, 'By telephone: read it in turns'), el('p.soft', {}, `You see the same digits on both screens if nobody is in between. ${first ? 'You begin.' : 'The other one begins.'} Each reads one half and hears that it agrees; so nobody can only say “yes”.`),
      el('p', {}, first ? '1. You read:' : '2. Then you read:'), el('p.digits', {}, five(mine)), el('p', {}, first ? '2. Then the other one reads, and you type:' : '1. The other one reads, and you type:'), label,
      el('button.primary', { onclick: compare }, 'Compare'), ' ', i.trustLevel === 'UNTRUSTED' && el('button', { onclick: () => act({ trustAllKnownKeys: true }) }, 'Go on without comparing'),
      i.trustLevel === 'TRUSTED_VERIFIED' && el('button', { onclick: () => act({ unverify: true }) }, 'I do not vouch for it any more'),
      el('details', {}, el('summary', {}, 'All 60 digits'), el('p.digits', {}, five(all))),
      i.trustLevel === 'TRUSTED_VERIFIED' && introduce(conversation, people, say)));
  } catch (e) { say(e.message); }
}

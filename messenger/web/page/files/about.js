// Is this the audited code? What the auditors' judge says of the running bytes, of older versions, and of the server.
import { el, fill } from './dom.js';
import { call } from './wire.js';

const words = { genuine: 'Yes: these are the bytes that the auditors vouch for.', refused: 'No: something was checked and found wrong.', 'could not tell': 'Nobody can tell from here.' };

/** around draws the people who may vouch, as a circle of circles: filled who signed, empty of whom that is not known, marked who is against it. */
function around(people) {
  return people.map((v, i) => {
    const a = (2 * Math.PI * i) / people.length - Math.PI / 2, x = 60 + 68 * Math.cos(a), y = 60 + 68 * Math.sin(a), against = v.otherBytes || v.foundFault || v.withdrew;
    return el(`g.person${against ? '.against' : v.signed ? '.signed' : ''}`, {}, el('circle', { cx: x, cy: y, r: 9 }), el('text', { x, y: y + 2.7 }, against ? '!' : v.name.split(/\s+/).filter(Boolean).slice(0, 2).map((w) => [...w][0]).join('')));
  });
}

export function ring(p) {
  const need = Math.max(p.need.quorum || 0, 1), r = 50, whole = 2 * Math.PI * r, part = Math.min(p.counts.signed / need, 1) * whole;
  return el(`svg.ring${p.outcome === 'refused' ? '.bad' : ''}`, { viewBox: '-20 -20 160 160', role: 'img', 'aria-label': p.need.quorum ? `${p.counts.signed} signed, ${p.need.quorum} needed` : `How many signed is not known: ${p.outcome}` },
    el('circle', { cx: 60, cy: 60, r }), el('circle.part', { cx: 60, cy: 60, r, 'stroke-dasharray': `${part} ${whole}`, transform: 'rotate(-90 60 60)' }),
    el('text.big', { x: 60, y: 56 }, p.version), el('text', { x: 60, y: 70 }, p.sha256.slice(0, 12)), el('text', { x: 60, y: 82 }, p.need.quorum ? `${p.counts.signed} signed, ${p.need.quorum} needed` : p.outcome), around(p.people));
}

/** choices are of the channel, and of whether updates come by themselves. */
function choices(p, go) {
  const channel = el('select', { onchange: () => go('updateSettings', { channel: channel.value }) }, (p.channels ?? [p.channel]).map((c) => el('option', { value: c }, c)));
  channel.value = p.channel;
  const automatic = el('input', { type: 'checkbox', checked: p.automatic, onchange: () => go('updateSettings', { automatic: automatic.checked }) });
  return [el('label', {}, el('span', {}, 'Channel: which releases come here, and how many people must vouch for them'), channel), el('label', {}, automatic, ' Install updates by itself, once enough people vouch for them')];
}

const day = (t) => (t ? ` (${new Date(t).toLocaleDateString()})` : '');
const did = (v) => [v.signed && 'signed', v.rebuilt && `rebuilt the same bytes${day(v.rebuiltAt)}`, v.reviewed && `read the source${day(v.reviewedAt)}`, v.witnessed && `witnessed the log${day(v.witnessedAt)}`,
  v.otherBytes && `REBUILT OTHER BYTES${day(v.rebuiltAt)}`, v.foundFault && `FOUND FAULT${day(v.reviewedAt)}`, v.withdrew && `WITHDREW IT${day(v.withdrewAt)}`].filter(Boolean);

/** people says what each has done. */
const people = (list) => list.length > 0 && [el('h2', {}, 'The people'), el('ul.people', {}, list.map((v) => el(`li${v.otherBytes || v.foundFault || v.withdrew ? '.against' : ''}`, {}, el('strong', {}, v.name), el('div.soft', {}, `${v.organisation}, ${v.jurisdiction}`), did(v).length ? did(v).map((d) => el('div', {}, d)) : el('div.soft', {}, 'has not vouched for this version'))))];

export async function about(root, say) {
  fill(root, el('p', {}, 'Looking…'));
  const p = await call('about');
  const act = (label, method, params) => el('button', { onclick: () => go(method, params) }, label);
  const go = async (method, params) => {
    say('…');
    try {
      const r = await call(method, params);
      say(method === 'updateSettings' ? 'Done.' : r.installed ? `${r.newest} is installed; the messenger starts again with it.` : r.newest ? `${r.newest} is there.` : 'Nothing newer is there.');
      about(root, say);
    } catch (e) { say(e.message); }
  };
  const server = el('div', {}, el('button', { onclick: () => ofServer(server) }, 'Ask the server what it runs'));
  fill(root, el('h1', {}, 'Is this the audited code?'), ring(p), el('p', {}, el('strong', {}, words[p.outcome])), p.why && el('p.soft', {}, p.why),
    el('p', {}, `${p.program} ${p.version} for ${p.os}/${p.arch}, SHA-256 `, el('code', {}, p.sha256)),
    people(p.people),
    p.verdict && [el('h2', {}, 'The seven reasons'), el('table', {}, p.verdict.reasons.map((r) => el('tr', {}, el('td', {}, String(r.number)), el('td', {}, r.name), el('td', {}, r.state), el('td', {}, r.text))))],
    el('h2', {}, 'Updates'), el('p', {}, p.distribution ? `${p.pinned ? `Pinned to ${p.pinned}. ` : ''}${p.freshness.text}` : 'Updates are off: this program was built without a distribution.'),
    p.distribution && choices(p, go),
    p.refused && el('p.error', {}, `${p.refused.wrong ? 'Refused' : 'Could not tell'}: ${p.refused.version ?? 'the repository'}: ${p.refused.reason}`),
    p.distribution && el('p', {}, act('Look for an update', 'checkForUpdate'), ' ', act('Update now', 'updateNow'), ' ', p.pinned ? act('Follow the channel again', 'updateSettings', { unpin: true }) : act('Stay on this version', 'updateSettings', { pin: 'current' }), ' ', p.return && act(`Return to ${p.return}`, 'returnToLastVersion')),
    p.versions.length > 0 && [el('h2', {}, 'Versions on this computer'), el('table', {}, p.versions.map((v) => el('tr', {}, el('td', {}, v.version + (v.running ? ' (runs)' : '')), el('td', {}, v.outcome), el('td', {}, v.held ? v.held.reason : v.why ?? ''), el('td', {}, v.signed.map((s) => s.name).join(', '))))) ],
    el('h2', {}, 'Check it yourself'), p.checkItYourself.map((c) => el('p', {}, el('code', {}, c))),
    el('h2', {}, 'The server'), server);
}

const ofRelease = { genuine: 'What the server says it runs is a genuine release.', refused: 'What the server says it runs is refused.', 'could not tell': 'Whether what the server says it runs is a genuine release cannot be told.' };

/** ofServer shows the server's verdict as the program's own, and how far it can be known. */
async function ofServer(box) {
  fill(box, 'Asking…');
  try {
    const s = await call('serverAbout');
    fill(box, ring({ ...s.checked, version: s.says.version, sha256: s.says.sha256 }), el('p', {}, el('strong', {}, ofRelease[s.checked.outcome])),
      el('p', {}, `${s.server} says that it runs ${s.says.program} ${s.says.version}, SHA-256 `, el('code', {}, s.says.sha256)),
      s.checked.behind && el('p.error', {}, `It is out of date: ${s.checked.newest} is the newest.`), s.checked.why && el('p', {}, s.checked.why),
      el('p.limits', {}, el('strong', {}, 'How far this can be known: '), s.checked.limits), people(s.checked.people));
  } catch (e) { fill(box, el('p.error', {}, e.message)); }
}

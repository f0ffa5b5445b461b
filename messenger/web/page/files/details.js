// What there is to know and to decide about a conversation: who it is, whether that is sure, the timer, the pictures, who is in a group. It stands beside the
// conversation where there is room, and in its place where there is none.
import { ask, menu, sure } from './dialog.js';
import { el, fill, redraw } from './dom.js';
import { face, forget, square } from './face.js';
import { media } from './media.js';
import { adder, leave, members } from './members.js';
import { call, target } from './wire.js';

/** spans are how long messages may stay, in seconds, and how that is said. */
export const spans = [[0, 'stay'], [300, 'go 5 minutes after they were read'], [3600, 'go an hour after they were read'], [86400, 'go a day after'], [604800, 'go a week after'], [2419200, 'go four weeks after']];
const states = {
  TRUSTED_VERIFIED: ['✓ You have compared the safety number: it is this person.', 'good'],
  TRUSTED_UNVERIFIED: ['Not compared yet: that it is this person is the server’s word.', 'soft'],
  UNTRUSTED: ['⚠ The key has changed. Nothing is sent until you decide.', 'error'],
};

/** details draws them in root and returns what to do with events, and when it is left. c has called, trust and me of people, say, what to do to open a conversation, to verify a number, to jump to a message and after a change, and the button that closes it. */
export function details(root, conversation, c) {
  const id = conversation.id, group = id.startsWith('group:'), note = id === c.me;
  const to = target(id), changing = group ? 'updateGroup' : 'updateContact';
  let over = false; // it was left
  const act = async (method, params) => {
    try { await call(method, params); if (params.avatar || params.removeAvatar) forget(id); c.say('Done.'); await c.changed(); await refresh(); return true; } catch (e) { c.say(e.message); return false; }
  };
  const context = { ...c, id, target: to, act, accepted: conversation.accepted || !conversation.lastSeq };
  const head = el('div', {}), people = el('div', {}), rest = el('div', {}), add = group && adder(context);
  const timer = el('select', { 'aria-label': 'How long messages stay', onchange: () => act(changing, { ...to, expiration: Number(timer.value) }) }, spans.map(([v, t]) => el('option', { value: v }, `Messages ${t}`)));
  const set = (seconds) => {
    if (!spans.some(([v]) => v === seconds)) timer.append(el('option', { value: seconds }, `Messages go after ${seconds} seconds`));
    timer.value = String(seconds);
  };
  const rename = async (name) => {
    await ask({ title: group ? 'Rename the group' : 'What do you call this person?', text: group ? 'All members see the name.' : 'The name is for you alone. Without one, the name the person has chosen is shown.', action: 'Set the name',
      fields: [{ name: 'name', label: 'Name', value: name, required: group, maxlength: 100 }], submit: ({ name }) => call(changing, { ...to, name }) }) && (await c.changed(), refresh());
  };

  const picker = group && el('input', { type: 'file', accept: 'image/*', hidden: true, 'aria-label': 'Picture of the group', onchange: async () => { // in the page, or else nobody holds it while one chooses
    const [picture] = picker.files;
    picker.value = '';
    try { if (picture) await act('updateGroup', { groupId: id, avatar: await square(picture) }); } catch (e) { c.say(e.message); }
  } });
  const ofGroup = async () => {
    const [groups, seen] = await Promise.all([call('listGroups'), call('groupConsistency', { groupId: id })]), g = groups.find((x) => x.conversation === id);
    return g && (() => drawGroup(g, seen));
  };
  const drawGroup = (g, seen) => {
    set(g.messageExpirationTime);
    timer.disabled = !g.isMember;
    const admin = g.isMember && g.admins.some((m) => m.number === c.me);
    fill(head, face(id, g.name), el('h2', {}, g.name), g.isMember ? [el('button.link', { onclick: () => rename(g.name) }, 'Rename'), menu('The picture of the group', [['Choose a picture…', () => picker.click()], g.hasAvatar && ['Remove the picture', () => act('updateGroup', { groupId: id, removeAvatar: true })]], 'Picture')] : el('p.soft', {}, 'You are not in this group any more.'));
    fill(people, el('h3', {}, g.members.length === 1 ? '1 member' : `${g.members.length} members`), members(g, context),
      !admin && g.isMember && el('p.soft', {}, 'Admins add and remove people.'));
    add.hidden = !admin;
    fill(rest, el('h3', {}, 'Does everybody see the same?'), el('p.soft', {}, seen.seenByAll ? `Everybody has everything up to ${new Date(seen.seenByAll).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}: their own messages say so.` : 'What everybody has is not known yet: it shows as they write.'),
      seen.missing > 0 && el('p.error', {}, seen.missing === 1 ? 'One message is missing here. ' : `${seen.missing} messages are missing here. `, el('button', { onclick: () => act('askForMissing', { groupId: id }) }, 'Ask for them')),
      g.isMember && el('p', {}, el('button.danger', { onclick: () => leave(g, context) }, 'Leave the group')));
  };
  const ofPerson = async () => {
    const [contacts, identities] = await Promise.all([call('listContacts'), call('listIdentities', { number: id }).catch(() => [])]), k = contacts.find((x) => x.number === id) ?? { number: id }, i = identities[0];
    return () => drawPerson(k, i);
  };
  const drawPerson = (k, i) => {
    const name = note ? 'Note to self' : k.name || k.profileName || k.username || id, [text, kind] = states[i?.trustLevel] ?? ['There is no key of this person here yet: write first.', 'soft'];
    fill(head, face(id, name), el('h2', {}, name), k.name && k.profileName && k.name !== k.profileName && el('p.soft', {}, `Own name: ${k.profileName}`), el('p', {}, el('code', {}, id)),
      note ? el('p.soft', {}, 'What you write here reaches your own devices only.') : el('button.link', { onclick: () => rename(k.name ?? '') }, k.name ? 'Change the name' : 'Give a name'),
      !note && el(`p.${kind}`, {}, text), !note && i && el('button', { onclick: () => c.verify(id) }, i.trustLevel === 'TRUSTED_VERIFIED' ? 'See the safety number' : 'Verify'));
    fill(rest, !note && el('p', {}, k.isBlocked ? el('button', { onclick: () => act('unblock', to) }, 'Unblock') : el('button.danger', { onclick: async () => { if (await sure(`Block ${name}?`, 'Nothing that this person writes is shown any more, and the person is not told.', 'Block')) act('block', to); } }, 'Block')));
  };
  let asked = 0;
  const refresh = async () => {
    const turn = ++asked;
    try {
      const draw = await (group ? ofGroup() : ofPerson());
      if (draw && !over && turn === asked) redraw(root, draw); // an answer may come after one that was asked for later
    } catch (e) { c.say(e.message); }
  };

  set(conversation.expires ?? 0);
  let shown = media(context), soon = 0;
  fill(root, el('div.panel.details', {}, c.close, head, el('p', {}, timer), people, add, el('h3', {}, 'Pictures and files'), shown, rest, picker));
  refresh();
  return {
    leave() { over = true; clearTimeout(soon); },
    /** event is told what happens; much of it at once is looked at once. */
    event(e) {
      if (e.conversation !== id && e.type !== 'conversation') return;
      if (e.type === 'message' && e.message.attachments?.length) { const fresh = media(context); shown.replaceWith(fresh); shown = fresh; }
      if (e.type !== 'conversation' && e.type !== 'message') return;
      clearTimeout(soon);
      soon = setTimeout(refresh, 300);
    },
  };
}

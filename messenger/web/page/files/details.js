// What there is to know and to decide about a conversation: the timer, and who is in a group.
import { el, field, fill } from './dom.js';
import { call, target } from './wire.js';

/** details shows it in root. */
export async function details(root, conversation, called, say, done) {
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

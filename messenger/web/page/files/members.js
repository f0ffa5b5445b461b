// Who is in a group, who decides in it, and what one may do about that.
import { menu, sure } from './dialog.js';
import { el } from './dom.js';
import { face } from './face.js';
import { call } from './wire.js';

const trusts = { verified: ['✓ compared', 'You have compared the safety number: it is this person'], changed: ['⚠ key changed', 'The key has changed since you compared it'] };

/** members lists those of group g, as listGroups has it; c as for details. */
export function members(g, c) {
  const admins = new Set(g.admins.map((m) => m.number)), mine = g.isMember && admins.has(c.me);
  const change = (params) => () => c.act('updateGroup', { groupId: c.id, ...params });
  const everybody = g.members.map((m) => m.number).sort((a, b) => (b === c.me) - (a === c.me) || admins.has(b) - admins.has(a) || c.called(a).localeCompare(c.called(b)));
  return el('ul.members', {}, everybody.map((n) => {
    const name = c.called(n), [mark, means] = trusts[c.trust(n)] ?? [], admin = admins.has(n);
    return el('li', {}, face(n, name), el('span.grow', {}, el('span.name', {}, name), admin && el('span.tag', {}, 'admin'), mark && el('span.tag', { title: means }, mark)),
      (n !== c.me || (mine && admins.size > 1)) && menu(`What to do with ${name}`, [
        n !== c.me && ['Write', () => c.open(n)],
        n !== c.me && ['Verify', () => c.verify(n)],
        mine && !admin && ['Make an admin', change({ admins: [n] })],
        mine && admin && (n !== c.me || admins.size > 1) && ['No admin any more', change({ removeAdmins: [n] })],
        mine && n !== c.me && ['Remove from the group', async () => { if (await sure(`Remove ${name}?`, 'What is written from now on does not reach this person any more. What was written before stays there.', 'Remove')) change({ removeMembers: [n] })(); }, true],
      ]));
  }));
}

/** leave leaves the group; its last admin is told what that means. */
export async function leave(g, c) {
  const alone = g.admins.length === 1 && g.admins[0].number === c.me && g.members.length > 1;
  if (await sure('Leave the group?', `You get nothing more that is written in it; what you have stays here.${alone ? ' You are its only admin: after you nobody can add or remove anybody. Make somebody else an admin first if that is to go on.' : ''}`, 'Leave')) c.act('quitGroup', { groupId: c.id });
}

/** add is a field for new members; what is typed stays while the rest is drawn anew. */
export function adder(c) {
  const input = el('input', { autocomplete: 'off', placeholder: 'Number, name or username' });
  const go = async () => { if (input.value.trim() && await c.act('updateGroup', { groupId: c.id, members: [input.value.trim()] })) input.value = ''; };
  return el('form.row', { onsubmit: (e) => { e.preventDefault(); go(); } }, el('label.grow', {}, el('span', {}, 'Add somebody'), input), el('button', { type: 'submit' }, 'Add'));
}

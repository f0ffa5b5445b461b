// To whom one writes: somebody, or a new group.
import { ask } from './dialog.js';
import { call } from './wire.js';

/** who turns a name one knows somebody by into the number. */
const who = (text, people) => {
  const same = people.filter((k) => k.called === text.trim());
  return same.length === 1 ? same[0].number : text.trim();
};

/** write asks whom; people are {number, called}. It answers with the conversation's id, or null. */
export async function write(people) {
  let id = null, group = false;
  await ask({ title: 'Write to somebody', action: 'Write', other: ['New group…', () => { group = true; }],
    fields: [{ name: 'to', label: 'Name, number or username', required: true, suggest: people.map((k) => k.called) }],
    submit: async ({ to }) => { id = (await call('resolve', { name: who(to, people) })).conversation; } });
  return group ? found(people) : id;
}

/** found makes a group. */
async function found(people) {
  let id = null;
  await ask({ title: 'New group', text: 'You are its admin: you add and remove people, and can make others admins, too.', action: 'Make the group', fields: [
    { name: 'name', label: 'What it is called', required: true, maxlength: 100 },
    people.length > 0 && { name: 'chosen', label: 'Who is in it', choices: people.map((k) => [k.number, k.called]) },
    { name: 'more', label: people.length ? 'Others: numbers or usernames, with commas between' : 'Who is in it: numbers or usernames, with commas between' },
  ].filter(Boolean), submit: async ({ name, chosen = [], more }) => {
    const members = [...chosen, ...more.split(',').map((s) => s.trim()).filter(Boolean).map((s) => who(s, people))];
    const { groupId } = await call('updateGroup', { name, members });
    const g = (await call('listGroups')).find((x) => x.id === groupId);
    id = g.conversation;
  } });
  return id;
}

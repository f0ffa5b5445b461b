// Questions to the person, in the browser's own dialogs: the page behind is out of reach meanwhile, Escape leaves, and the focus goes back to where it was.
import { el, fill } from './dom.js';

let count = 0; // for labels

/** ask opens a dialog and answers with what was typed, by the fields' names; null if it was left. Fields are {name, label, value, lines, required, …attributes}. submit may refuse: what it throws is shown, and the dialog stays. */
export function ask({ title, text, fields = [], action, danger = false, submit = async () => {} }) {
  return new Promise((resolve) => {
    const id = `dialog${++count}`, inputs = new Map(), error = el('p.error', { role: 'alert' });
    let answer = null;
    const rows = fields.map(({ name, label, value = '', lines, options, ...attrs }) => {
      const input = lines ? el('textarea', { rows: lines, ...attrs }) : options ? el('select', attrs, options.map(([v, t]) => el('option', { value: v }, t))) : el('input', { autocomplete: 'off', ...attrs });
      if (attrs.type !== 'file') input.value = value;
      inputs.set(name, input);
      return el('label', {}, el('span', {}, label), input);
    });
    const go = el(danger ? 'button.danger' : 'button.primary', { type: 'submit' }, action);
    const dialog = el('dialog', { 'aria-labelledby': id, onclose: () => { dialog.remove(); resolve(answer); }, onclick: (e) => { if (e.target === dialog && !fields.length) dialog.close(); } },
      el('form', { onsubmit: async (e) => {
        e.preventDefault();
        const given = Object.fromEntries([...inputs].map(([name, i]) => [name, i.type === 'file' ? i.files[0] : i.value]));
        go.disabled = true;
        fill(error);
        try {
          await submit(given);
          answer = given;
          dialog.close();
        } catch (x) { fill(error, x.message); }
        go.disabled = false;
      } }, el('h2', { id }, title), text && el('p', {}, text), rows, error, el('p.buttons', {}, el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), go)));
    document.body.append(dialog);
    dialog.showModal();
    const [first] = inputs.values();
    (first ?? go).focus();
    if (first?.tagName === 'TEXTAREA') first.setSelectionRange(first.value.length, first.value.length);
  });
}

/** sure asks before something is done that cannot be undone. */
export const sure = async (title, text, action) => (await ask({ title, text, action, danger: true })) !== null;

/** over shows something small over the page, beside what was pressed, until one presses elsewhere, or Escape. */
export function over(button, label, ...children) {
  const box = el('div.over', { popover: 'auto', role: 'group', 'aria-label': label, ontoggle: (e) => {
    if (e.newState === 'open') return;
    button.setAttribute('aria-expanded', 'false');
    setTimeout(() => box.remove());
  } }, ...children);
  document.body.append(box);
  button.focus({ preventScroll: true }); // there the browser brings it back to
  box.showPopover();
  button.setAttribute('aria-expanded', 'true');
  const at = button.getBoundingClientRect(), own = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
  box.style.top = `${at.bottom + own.height + 8 < innerHeight ? at.bottom + 4 : Math.max(8, at.top - own.height - 4)}px`;
  (box.querySelector('button') ?? box).focus();
  return box;
}

/** menu is a button with things to do behind it; those that are false are left out. */
export function menu(label, items) {
  const button = el('button.link.menu', { 'aria-label': label, 'aria-haspopup': 'true', 'aria-expanded': 'false', onclick: () => {
    const box = over(button, label, items.filter(Boolean).map(([text, act, danger]) => el(danger ? 'button.item.danger' : 'button.item', { onclick: () => { box.hidePopover(); act(); } }, text)));
    box.onkeydown = (e) => {
      const all = [...box.children], to = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (to) { e.preventDefault(); all[(all.indexOf(document.activeElement) + to + all.length) % all.length].focus(); }
    };
  } }, '⋯');
  return button;
}

/** asking tells whether one of these is open, which Escape is for then. */
export const asking = () => document.querySelector('dialog[open], :popover-open') !== null;

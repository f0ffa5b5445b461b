// Questions to the person, in the browser's own dialogs: the page behind is out of reach meanwhile, Escape leaves, and the focus goes back to where it was.
import { el, fill, same } from './dom.js';

let count = 0; // for labels

/** back gives the focus to what had it before something stood over the page, where that was drawn anew meanwhile, so that the browser cannot. */
function back(was, over) {
  if (!was.isConnected && (document.activeElement === document.body || over.contains(document.activeElement))) same(was)?.focus({ preventScroll: true });
}

/** refocus gives the caret back to the field that a dialog has given the focus back to: Chromium leaves it in the one that is gone, and what is typed then comes to nothing. */
function refocus(was, over) {
  back(was, over);
  const field = document.activeElement;
  if (!/^(INPUT|TEXTAREA)$/.test(field?.tagName)) return;
  field.blur();
  field.focus({ preventScroll: true });
}

/** ask opens a dialog and answers with what was typed, by the fields' names; null if it was left. Fields are {name, label, value, …attributes}, with lines of a longer text, suggest of what is often typed, or choices [value, text], of which several may be taken. submit may refuse: what it throws is shown, and the dialog stays. other is [label, function] of one more button. */
export function ask({ title, text, fields = [], action, danger = false, other, submit = async () => {} }) {
  return new Promise((resolve) => {
    const id = `dialog${++count}`, was = document.activeElement, inputs = new Map(), error = el('p.error', { role: 'alert' });
    let answer = null;
    const rows = fields.map(({ name, label, value = '', lines, suggest, choices, ...attrs }, i) => {
      if (choices) {
        const boxes = choices.map(([v, t]) => [v, el('input', { type: 'checkbox' }), t]);
        inputs.set(name, () => boxes.filter(([, box]) => box.checked).map(([v]) => v));
        return el('fieldset', {}, el('legend', {}, label), boxes.map(([, box, t]) => el('label.choice', {}, box, ' ', t)));
      }
      const input = lines ? el('textarea', { rows: lines, ...attrs }) : el('input', { autocomplete: 'off', list: suggest && `${id}list${i}`, ...attrs });
      input.value = value;
      inputs.set(name, () => input.value);
      return el('label', {}, el('span', {}, label), input, suggest && el('datalist', { id: `${id}list${i}` }, suggest.map((t) => el('option', { value: t }))));
    });
    const go = el(danger ? 'button.danger' : 'button.primary', { type: 'submit' }, action);
    const dialog = el('dialog', { 'aria-labelledby': id, onclose: () => { dialog.remove(); refocus(was, dialog); resolve(answer); }, onclick: (e) => { if (e.target === dialog && !fields.length) dialog.close(); } },
      el('form', { onsubmit: async (e) => {
        e.preventDefault();
        const given = Object.fromEntries([...inputs].map(([name, f]) => [name, f()]));
        go.disabled = true;
        fill(error);
        try {
          await submit(given);
          answer = given;
          dialog.close();
        } catch (x) { fill(error, x.message); }
        go.disabled = false;
      } }, el('h2', { id }, title), text && el('p', {}, text), rows, error, el('p.buttons', {}, other && el('button.first', { type: 'button', onclick: () => { other[1](); dialog.close(); } }, other[0]), el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), go)));
    document.body.append(dialog);
    dialog.showModal();
    const first = dialog.querySelector('input, textarea') ?? go;
    first.focus();
    if (first.tagName === 'TEXTAREA') first.setSelectionRange(first.value.length, first.value.length);
  });
}

/** sure asks before something is done that cannot be undone. */
export const sure = async (title, text, action) => (await ask({ title, text, action, danger: true })) !== null;

/** over shows something small over the page, beside what was pressed, until one presses elsewhere, or Escape. */
export function over(button, label, ...children) {
  const box = el('div.over', { popover: 'auto', tabindex: -1, role: 'group', 'aria-label': label, ontoggle: (e) => {
    if (e.newState === 'open') return;
    button.setAttribute('aria-expanded', 'false');
    back(button, box);
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
export function menu(label, items, shown = '⋯') {
  const button = el(shown === '⋯' ? 'button.link.menu' : 'button.link', { 'aria-label': label, 'aria-haspopup': 'true', 'aria-expanded': 'false', onclick: () => {
    const box = over(button, label, items.filter(Boolean).map(([text, act, danger]) => el(danger ? 'button.item.danger' : 'button.item', { onclick: () => { box.hidePopover(); act(); } }, text)));
    box.onkeydown = (e) => {
      const all = [...box.children], to = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (to) { e.preventDefault(); all[(all.indexOf(document.activeElement) + to + all.length) % all.length].focus(); }
    };
  } }, shown);
  return button;
}

/** asking tells whether one of these is open, which Escape is for then. */
export const asking = () => document.querySelector('dialog[open], :popover-open') !== null;

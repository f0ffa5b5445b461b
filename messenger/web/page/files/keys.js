// All that the page does without a mouse, beyond Tab and Enter.
export const shortcuts = [['/', 'search'], ['Alt + ↓ and Alt + ↑', 'the next conversation, the one before'], ['n', 'write to somebody'], ['Escape', 'back to the list'], ['Enter', 'send; with Shift, a new line'], ['↑ ↓ Home End', 'in a conversation: from message to message; Tab then leads to what one can do with it']];

/** keys listens for them; does has one function for each. Letters count only where nobody is writing. */
export function keys({ search, step, write, back }) {
  addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.isComposing) return;
    const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
    const act = e.altKey ? { ArrowDown: () => step(1), ArrowUp: () => step(-1) }[e.key] : e.key === 'Escape' ? back : writing ? null : { '/': search, n: write }[e.key];
    if (act && act() !== false) e.preventDefault();
  });
}

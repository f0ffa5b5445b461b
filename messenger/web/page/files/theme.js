// Light or dark, before anything is drawn: as the system has it, unless the person chose. Not a module: those run after the first paint.
document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'system';

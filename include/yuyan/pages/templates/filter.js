// Search and filters over what carries data-item; opens what the address points at. The page is complete without it.
(() => {
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let e = target; e; e = e.parentElement) {
      e.hidden = false;
      if (e.tagName === 'DETAILS') e.open = true;
    }
    target.scrollIntoView();
  };
  const form = document.querySelector('form.filter');
  if (form) {
    const items = [...document.querySelectorAll('[data-item]')].map(e => [e, e.textContent.toLowerCase()]);
    const output = form.querySelector('output');
    const apply = () => {
      const wanted = [...new FormData(form)].filter(([name, value]) => name !== 'q' && value);
      const words = form.q.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const [e, text] of items) {
        const fits = wanted.every(([name, value]) => e.dataset[name].split(' ').includes(value)) &&
          words.every(word => text.includes(word));
        e.hidden = !fits;
        shown += fits;
      }
      for (const group of document.querySelectorAll('[data-group]'))
        group.hidden = !group.querySelector('[data-item]:not([hidden])');
      output.textContent = shown ? `显示 ${shown} ${form.dataset.unit}，共 ${items.length} ${form.dataset.unit}`
        : `没有符合条件的内容，共 ${items.length} ${form.dataset.unit}`;
    };
    let waiting;
    form.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(apply, 150); });
    form.addEventListener('reset', () => setTimeout(apply));
    form.addEventListener('submit', event => { event.preventDefault(); apply(); });
    form.hidden = false;
    apply();
  }
  addEventListener('hashchange', reveal);
  reveal();
})();

'use strict';
// Everything here is a convenience: the page says all it has to say without it.
for (const button of document.querySelectorAll('button.copy')) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.text);
    } catch {
      const area = document.createElement('textarea');
      area.value = button.dataset.text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    button.textContent = 'Copied';
  });
}

for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute('aria-sort', 'none');
    button.addEventListener('click', () => {
      const descending = head.getAttribute('aria-sort') === 'ascending';
      for (const other of heads) other.setAttribute('aria-sort', 'none');
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      const rows = [...body.rows].map((row) => [row.cells[column].dataset.value ?? row.cells[column].textContent, row]);
      rows.sort(([a], [b]) => order(a, b, descending));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function order(a, b, descending) {
  if (a === '' || b === '') return (a === '') - (b === '');
  const difference = a - b;
  const found = Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference;
  return descending ? -found : found;
}

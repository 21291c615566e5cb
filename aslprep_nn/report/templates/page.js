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

const OUTSIDE = 0, NO_ESTIMATE = 1, FIRST = 2, LAST = 255, ZOOM = 4;
const PLATE = [18, 21, 26], STRIPES = [[108, 115, 125], [154, 161, 171]];

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// One function per map: from a byte to a colour, and from a byte to words.
function decoder(map) {
  const missing = map.missing ?? 'no estimate';
  if (map.labels) {
    const labels = new Map(Object.entries(map.labels).map(([byte, [word, color]]) => [+byte, [word, rgb(color)]]));
    return {
      color: (byte) => labels.get(byte)?.[1],
      words: (byte) => labels.get(byte)?.[0] ?? (byte === NO_ESTIMATE ? missing : ''),
    };
  }
  const colors = map.colors.map(rgb), below = map.below && rgb(map.below);
  const step = (map.last - map.first) / (LAST - FIRST);
  const value = (byte) => map.first + (byte - FIRST) * step;
  const digits = Math.max(0, Math.min(3, Math.ceil(-Math.log10(step))));
  return {
    color: (byte) => {
      if (byte === NO_ESTIMATE) return undefined;
      const share = (value(byte) - map.low) / (map.high - map.low);
      if (below && share < -step / (map.high - map.low)) return below;
      return colors[Math.max(0, Math.min(colors.length - 1, Math.round(share * (colors.length - 1))))];
    },
    words: (byte) => {
      if (byte === OUTSIDE) return '';
      if (byte === NO_ESTIMATE) return missing;
      const edge = byte === LAST ? '≥ ' : byte === FIRST ? '≤ ' : '';
      return edge + value(byte).toFixed(digits).replace('-', '−');
    },
  };
}

// A switch between estimators: panes without a choice of their own are always there.
function offerChoices(viewer, choices, panes) {
  if (choices.length < 2) return;
  const box = document.createElement('fieldset'), legend = document.createElement('legend');
  const name = `choice-${[...document.querySelectorAll('.viewer')].indexOf(viewer)}`;
  const choose = (word) => { for (const pane of panes) pane.box.hidden = Boolean(pane.choice) && pane.choice !== word; };
  legend.textContent = 'Estimate';
  box.className = 'choices';
  box.append(legend);
  for (const [word, label] of choices) {
    const line = document.createElement('label'), input = document.createElement('input');
    input.type = 'radio';
    input.name = name;
    input.checked = word === choices[0][0];
    input.addEventListener('change', () => choose(word));
    line.append(input, label);
    box.append(line);
  }
  viewer.prepend(box);
  choose(choices[0][0]);
}

async function startViewer(viewer) {
  const facts = JSON.parse(viewer.dataset.facts);
  const stage = viewer.querySelector('.stage'), slider = viewer.querySelector('input[type=range]');
  const heightOut = viewer.querySelector('output');
  let pointed = null;
  const panes = await Promise.all([...stage.querySelectorAll('img')].map(async (image, index) => {
    await image.decode();
    const sheet = document.createElement('canvas');
    sheet.width = image.naturalWidth;
    sheet.height = image.naturalHeight;
    const ink = sheet.getContext('2d', { willReadFrequently: true });
    ink.drawImage(image, 0, 0);
    const pixels = ink.getImageData(0, 0, sheet.width, sheet.height);
    const box = document.createElement('figure'), canvas = document.createElement('canvas');
    const caption = document.createElement('figcaption'), readout = document.createElement('b');
    canvas.width = facts.width * ZOOM;
    canvas.height = facts.height * ZOOM;
    canvas.style.aspectRatio = String(1 / facts.aspect);
    caption.append(facts.maps[index].label, readout);
    box.append(caption, canvas);
    image.replaceWith(box);
    return { box, canvas, readout, pixels, choice: facts.maps[index].choice, ...decoder(facts.maps[index]) };
  }));
  offerChoices(viewer, facts.choices ?? [], panes);
  const byteAt = (pane, x, y) => {
    const left = (slider.value % facts.columns) * facts.width;
    const top = Math.floor(slider.value / facts.columns) * facts.height;
    return pane.pixels.data[4 * ((top + y) * pane.pixels.width + left + x)];
  };
  const draw = () => {
    heightOut.textContent = `z = ${facts.z[slider.value].toFixed(0).replace('-', '−')} mm`;
    for (const pane of panes) {
      const picture = new ImageData(pane.canvas.width, pane.canvas.height);
      for (let y = 0; y < picture.height; y++) for (let x = 0; x < picture.width; x++) {
        const column = Math.floor(x / ZOOM), row = Math.floor(y / ZOOM);
        const byte = byteAt(pane, column, row);
        const shown = byte === OUTSIDE ? PLATE : pane.color(byte) ?? STRIPES[((x + y) >> 1) & 1];
        const chosen = pointed && pointed[0] === column && pointed[1] === row
          && (x % ZOOM === 0 || y % ZOOM === 0 || x % ZOOM === ZOOM - 1 || y % ZOOM === ZOOM - 1);
        picture.data.set(chosen ? [255, 255, 255, 255] : [...shown, 255], 4 * (y * picture.width + x));
      }
      pane.canvas.getContext('2d').putImageData(picture, 0, 0);
      pane.readout.textContent = pointed ? pane.words(byteAt(pane, ...pointed)) : '';
    }
  };
  for (const { canvas } of panes) {
    canvas.addEventListener('pointermove', (event) => {
      const inside = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
      pointed = [inside(event.offsetX / canvas.clientWidth, facts.width), inside(event.offsetY / canvas.clientHeight, facts.height)];
      draw();
    });
    canvas.addEventListener('pointerleave', () => { pointed = null; draw(); });
  }
  slider.max = facts.z.length - 1;
  slider.value = Math.floor(facts.z.length / 2);
  slider.addEventListener('input', draw);
  viewer.hidden = false;
  draw();
}

for (const viewer of document.querySelectorAll('.viewer')) startViewer(viewer);

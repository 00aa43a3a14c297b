for (const map of document.querySelectorAll('.map')) {
  const svg = map.querySelector('svg'), tip = map.querySelector('.tip'), bar = map.querySelector('.zoom');
  const names = JSON.parse(map.querySelector('script').textContent), across = +map.dataset.across;
  const [left, top, right, bottom] = map.dataset.frame.split(' ').map(Number);
  const middle = (el) => { const b = el.getBBox(); return { el, x: b.x + b.width / 2, y: b.y + b.height / 2 }; };
  const dots = [...svg.querySelectorAll('.dot')].map(middle), marks = dots.concat([...svg.querySelectorAll('.name')].map(middle));
  const axes = [...svg.querySelectorAll('.grid, .tick')];
  let zoom = 1, dx = 0, dy = 0, from = null;
  bar.hidden = false;
  const at = (e) => { const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(svg.getScreenCTM().inverse()); return [p.x, p.y]; };
  const place = () => {
    for (const m of marks) {
      m.px = m.x * zoom + dx; m.py = m.y * zoom + dy;
      m.on = m.px >= left && m.px <= right && m.py >= top && m.py <= bottom;
      m.el.setAttribute('transform', `translate(${m.px - m.x} ${m.py - m.y})`);
      m.el.style.display = m.on ? '' : 'none';
    }
    for (const el of axes) el.style.display = zoom === 1 ? '' : 'none';
    svg.style.cursor = zoom === 1 ? '' : 'grab';
  };
  const by = (factor, x, y) => {
    const next = Math.min(40, Math.max(1, zoom * factor)), f = next / zoom;
    [dx, dy, zoom] = [x - (x - dx) * f, y - (y - dy) * f, next];
    if (zoom === 1) dx = dy = 0;
    tip.hidden = true;
    place();
  };
  const centre = [(left + right) / 2, (top + bottom) / 2], steps = [2, 0.5, 0];
  bar.querySelectorAll('button').forEach((button, i) => button.addEventListener('click', () => by(steps[i], ...centre)));
  svg.setAttribute('tabindex', 0);
  svg.addEventListener('dblclick', (e) => by(2, ...at(e)));
  svg.addEventListener('wheel', (e) => {
    if (document.activeElement !== svg && zoom === 1) return;
    e.preventDefault();
    by(Math.exp(-e.deltaY / 300), ...at(e));
  }, { passive: false });
  svg.addEventListener('pointerdown', (e) => { from = zoom > 1 ? at(e) : null; if (from) svg.setPointerCapture(e.pointerId); });
  svg.addEventListener('pointerup', () => { from = null; });
  svg.addEventListener('pointerleave', () => { tip.hidden = true; });
  svg.addEventListener('pointermove', (e) => {
    const [x, y] = at(e);
    if (from) { dx += x - from[0]; dy += y - from[1]; from = [x, y]; tip.hidden = true; place(); return; }
    let best = 12, row = -1;
    dots.forEach((d, i) => { const far = Math.hypot(d.px - x, d.py - y); if (d.on && far < best) { best = far; row = i; } });
    tip.hidden = row < 0;
    if (row < 0) return;
    const [image, text] = tip.children, box = map.getBoundingClientRect();
    text.textContent = names[row];
    image.hidden = !across;
    if (across) {
      const [w, h] = map.dataset.tile.split(' ').map(Number), size = 84 / Math.max(w, h);
      Object.assign(image.style, {
        width: `${w * size}px`, height: `${h * size}px`, backgroundImage: `url(${map.dataset.sheet})`,
        backgroundSize: `${w * across * size}px auto`,
        backgroundPosition: `${-(row % across) * w * size}px ${-Math.floor(row / across) * h * size}px`,
      });
    }
    tip.style.left = `${Math.min(e.clientX - box.left + 14, box.width - 110)}px`;
    tip.style.top = `${e.clientY - box.top + 14}px`;
  });
  place();
}

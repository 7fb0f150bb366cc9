import { useEffect, useRef, useState } from 'react';
import type { SwarmView } from '#contracts/swarm-view';
import { swarmPicture, type SwarmPicture } from '../../data/swarm-picture.ts';
import { usePreferences } from '../../shell/preferences.ts';
import { countText, several } from '../text/format.tsx';
import { fillsOf } from './fills.ts';

/** Height of all rows together, and least size of a cell; CSS pixels. */
const MOST_HEIGHT_PX = 480;
const LEAST_CELL_PX = 2;
const MOST_CELL_PX = 18;
/** Bigger cells have a gap behind them. */
const GAP_FROM_PX = 5;

/** Who has what: a row a host, a column a piece. The table of hosts has the same for readers of text. */
export function SwarmCanvas({ view }: { readonly view: SwarmView }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = useRef<SwarmPicture>(undefined);
  const [under, setUnder] = useState<string>();
  const { theme } = usePreferences();
  useEffect(() => {
    const element = canvas.current!;
    const draw = (): void => void (picture.current = drawSwarm(element, view));
    const observer = new ResizeObserver(draw);
    observer.observe(element.parentElement!);
    draw();
    return () => observer.disconnect();
  }, [view, theme]);
  const nameUnder = (event: React.MouseEvent): void => {
    const box = canvas.current!.getBoundingClientRect();
    const shown = picture.current!;
    const row = Math.min(shown.rows - 1, Math.floor(((event.clientY - box.top) * shown.rows) / box.height));
    const [host, count] = shown.hostsOf(row);
    setUnder(count === 1 ? `${host.host}: ${host.heldPieces} of ${view.pieces}` : `${host.host} and ${count - 1} more`);
  };
  return (
    <div className="stack">
      <div>
        <canvas
          ref={canvas}
          className="grid-canvas swarm-canvas"
          role="img"
          aria-label={`Pieces of ${several(view.hosts.length, 'host')}: a row a host, a column a piece; the table of hosts below has the numbers`}
          title={under}
          onMouseMove={nameUnder}
        />
      </div>
      <ul className="legend">
        <Sign fill="ok" text="is there, paler where only a part is" />
        <Sign fill="running" text={`fetched from the origin: ${countText(countOf(view, 'origin'))}`} />
        <Sign fill="warn" text={`fetched from another site: ${countText(countOf(view, 'site'))}`} />
        <Sign fill="off" text="is missing" />
      </ul>
    </div>
  );
}

const countOf = ({ leases }: SwarmView, wanted: string): number => leases.filter(({ from }) => from === wanted).length;

const Sign = ({ fill, text }: { readonly fill: string; readonly text: string }) => (
  <li>
    <span className={`swatch fill-${fill}`} /> {text}
  </li>
);

function drawSwarm(canvas: HTMLCanvasElement, view: SwarmView): SwarmPicture {
  const width = canvas.parentElement!.clientWidth;
  const picture = swarmPicture(view, Math.floor(width / LEAST_CELL_PX), Math.floor(MOST_HEIGHT_PX / LEAST_CELL_PX));
  const { columns, rows } = picture;
  const rowPx = Math.max(LEAST_CELL_PX, Math.min(MOST_CELL_PX, Math.floor(MOST_HEIGHT_PX / rows)));
  const scale = globalThis.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = rows * rowPx * scale;
  canvas.style.height = `${rows * rowPx}px`;
  const context = canvas.getContext('2d');
  if (context === null) return picture;
  context.scale(scale, scale);
  const fills = fillsOf(canvas);
  const gap = Math.min(rowPx, width / columns) >= GAP_FROM_PX ? 1 : 0;
  for (let cell = 0; cell < columns * rows; cell += 1) {
    const column = cell % columns;
    const x = Math.round((column * width) / columns);
    const cellWidth = Math.round(((column + 1) * width) / columns) - x - gap;
    const y = Math.floor(cell / columns) * rowPx;
    const from = picture.leased[cell];
    const share = picture.shares[cell]!;
    paint(from === undefined ? 'off' : from === 'origin' ? 'running' : 'warn', 1);
    if (from === undefined && share > 0) paint('ok', 0.25 + 0.75 * share);

    function paint(tone: 'off' | 'running' | 'warn' | 'ok', alpha: number): void {
      context!.globalAlpha = alpha;
      context!.fillStyle = fills(tone);
      context!.fillRect(x, y, cellWidth, rowPx - gap);
    }
  }
  return picture;
}

import { useEffect, useRef, useState } from 'react';
import { ROLLOUT_HOST_STATES, type RolloutHostState } from '#core/rollout/host-state';
import { countText } from '../text/format.tsx';
import { fillsOf } from './fills.ts';
import { toneOf, wordOf, type Tone } from './state-mark.tsx';
import { usePreferences } from '../../shell/preferences.ts';

export interface GridHost {
  readonly host: string;
  readonly state: RolloutHostState;
}

/** Side of a square and the gap behind it, CSS pixels: big ones for a few hosts, small ones for thousands. */
const SIZES = [
  { upTo: 400, cell: 18, gap: 3 },
  { upTo: 2000, cell: 11, gap: 2 },
  { upTo: Infinity, cell: 6, gap: 1 },
] as const;

/** Marks besides the colour, on squares that are big enough. */
const GLYPHS: Partial<Record<Tone, string>> = { ok: '✓', bad: '✕', running: '↓', paused: '‖', warn: '!' };
const GLYPH_FROM_PX = 11;

/** One square a host, in the order of the names. A click on a square or on a state filters the table below, which has the same for readers of text. */
export function HostGrid(props: {
  readonly hosts: readonly GridHost[];
  readonly onState: (state: RolloutHostState) => void;
  readonly onHost: (name: string) => void;
}) {
  const { hosts, onState, onHost } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [under, setUnder] = useState<GridHost>();
  const { theme } = usePreferences();
  const size = SIZES.find(({ upTo }) => hosts.length <= upTo)!;
  const step = size.cell + size.gap;
  useEffect(() => {
    const element = canvas.current!;
    const draw = () => drawGrid(element, hosts, size.cell, step);
    const observer = new ResizeObserver(draw);
    observer.observe(element.parentElement!);
    draw();
    return () => observer.disconnect();
  }, [hosts, size, step, theme]);
  const hostAt = (event: React.MouseEvent): GridHost | undefined => {
    const box = canvas.current!.getBoundingClientRect();
    const perRow = perRowOf(box.width, step);
    const column = Math.floor((event.clientX - box.left) / step);
    return column >= perRow ? undefined : hosts[Math.floor((event.clientY - box.top) / step) * perRow + column];
  };
  return (
    <div className="stack">
      <div>
        <canvas
          ref={canvas}
          className="grid-canvas"
          role="img"
          aria-label={`${countText(hosts.length)} hosts by state; the list of states below has the numbers`}
          title={under === undefined ? undefined : `${under.host}: ${wordOf(under.state)}`}
          onMouseMove={(event) => setUnder(hostAt(event))}
          onClick={(event) => {
            const host = hostAt(event);
            if (host !== undefined) onHost(host.host);
          }}
        />
      </div>
      <ul className="legend">
        {countsOf(hosts).map(([state, count]) => (
          <li key={state}>
            <button type="button" onClick={() => onState(state)} title={`Show hosts that are ${wordOf(state)}`}>
              <span className={`swatch fill-${toneOf(state)}`} /> {wordOf(state)}: {countText(count)}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

const perRowOf = (width: number, step: number): number => Math.max(1, Math.floor(width / step));

/** States that occur, in the order of a host's life. */
export function countsOf(hosts: readonly GridHost[]): [RolloutHostState, number][] {
  const counts = new Map<RolloutHostState, number>();
  for (const { state } of hosts) counts.set(state, (counts.get(state) ?? 0) + 1);
  return ROLLOUT_HOST_STATES.flatMap((state) =>
    counts.has(state) ? [[state, counts.get(state)!] as [RolloutHostState, number]] : [],
  );
}

function drawGrid(canvas: HTMLCanvasElement, hosts: readonly GridHost[], cell: number, step: number): void {
  const width = canvas.parentElement!.clientWidth;
  const perRow = perRowOf(width, step);
  const height = Math.max(step, Math.ceil(hosts.length / perRow) * step);
  const scale = globalThis.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.scale(scale, scale);
  context.font = `${Math.floor(cell * 0.75)}px system-ui`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const fills = fillsOf(canvas);
  hosts.forEach(({ state }, index) => {
    const tone = toneOf(state);
    const x = (index % perRow) * step;
    const y = Math.floor(index / perRow) * step;
    context.fillStyle = fills(tone);
    context.fillRect(x, y, cell, cell);
    const glyph = GLYPHS[tone];
    if (glyph === undefined || cell < GLYPH_FROM_PX) return;
    context.fillStyle = '#fff';
    context.fillText(glyph, x + cell / 2, y + cell / 2 + 0.5);
  });
}

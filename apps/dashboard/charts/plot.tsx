import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Chart } from '#contracts/http/metrics';
import { exactText } from '../parts/text/format.tsx';
import { usePreferences } from '../shell/preferences.ts';
import { wholeBefore, type Series } from './period-before.ts';
import { labelOf, valueText, type Unit } from './units.ts';

const HEIGHT_PX = 240;
const AXIS_PX = 76;
/** Told apart in light and dark, and by people who see few colours; the legend and the table name each series too. */
const COLORS = [
  '#4d87e8',
  '#2f9e63',
  '#d9952a',
  '#9b7fd9',
  '#d64541',
  '#2aa5b8',
  '#8a8f98',
  '#b8639b',
  '#7a9a2e',
  '#5560c0',
  '#6b7280',
];

/** A moment that a chart marks with a line; the page names it beside the charts. */
export interface Mark {
  readonly at: string;
}

export interface PlotProps {
  readonly data: Chart;
  /** The same slots of the period before. */
  readonly before: Chart | undefined;
  readonly marks: readonly Mark[];
  readonly isStacked: boolean;
  readonly title: string;
}

/** A chart on a canvas; its title and summary are the text beside it. */
export function Plot({ data, before, marks, isStacked, title }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const { theme } = usePreferences();
  useEffect(() => {
    const element = box.current!;
    const earlier = before === undefined ? undefined : wholeBefore(data, before);
    const options = optionsOf(data, isStacked, element, { earlier, marks });
    const chart = new UPlot(options, valuesOf(data, isStacked, earlier), element);
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [data, before, marks, isStacked, theme]);
  return <div ref={box} className="chart" role="img" aria-label={`${title}; the table has the same numbers`} />;
}

function valuesOf({ times, series }: Chart, isStacked: boolean, earlier: Series | undefined): UPlot.AlignedData {
  const seconds = times.map((time) => Date.parse(time) / 1000);
  const dashed = earlier === undefined ? [] : [times.map((_, slot) => earlier.values[slot] ?? null)];
  if (!isStacked) return [seconds, ...series.map(({ values }) => values), ...dashed];
  const sums = times.map(() => 0);
  // The last series is drawn first and highest, so that each one covers what is below it.
  const stack = series.map(({ values }) => values.map((value, slot) => (sums[slot]! += value ?? 0))).reverse();
  return [seconds, ...stack, ...dashed];
}

interface Beside {
  readonly earlier: Series | undefined;
  readonly marks: readonly Mark[];
}

function optionsOf(data: Chart, isStacked: boolean, element: HTMLElement, beside: Beside): UPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const faint = colorOf(element, '--faint', style);
  const line = colorOf(element, '--line', style);
  const [unit = 'count', second] = new Set(data.series.map(({ unit: own }) => own));
  const drawn = data.series.map((series, index) => ({ ...series, color: COLORS[index % COLORS.length]! }));
  const ordered = isStacked ? [...drawn].reverse() : drawn;
  return {
    width: element.clientWidth || 400,
    height: HEIGHT_PX,
    scales: { y: scaleOf(unit), ...(second === undefined ? {} : { second: scaleOf(second) }) },
    axes: axesOf(unit, second, { faint, line }),
    series: [
      {
        label: 'time',
        value: (_plot: UPlot, seconds: number | null) =>
          seconds === null ? '–' : exactText(new Date(seconds * 1000).toISOString(), 'local'),
      },
      ...ordered.map(({ name, unit: own, color, values }) => ({
        label: labelOf(name),
        scale: own === unit ? 'y' : 'second',
        stroke: color,
        width: 1.5,
        ...(isStacked ? { fill: color } : {}),
        // A stacked line stands at a sum; the legend shows the series' own value.
        value: (_plot: UPlot, _shown: number, _series: number, slot: number | null) => slotText(values, slot, own),
      })),
      ...(beside.earlier === undefined ? [] : [earlierSeries(beside.earlier, faint)]),
    ],
    hooks: { draw: [(plot: UPlot) => drawMarks(plot, beside.marks, faint)] },
  };
}

const scaleOf = (unit: Unit): UPlot.Scale => ({
  range: unit === 'ratio' ? [0, 1] : (_plot, _low, high) => [0, high > 0 ? high * 1.05 : 1],
});

/** Times below; the first unit on the left, and a second one, such as ages beside counts, on the right. */
function axesOf(
  unit: Unit,
  second: Unit | undefined,
  { faint, line }: Readonly<Record<'faint' | 'line', string>>,
): UPlot.Axis[] {
  const axis = { stroke: faint, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const valuesIn = (own: Unit) => (_plot: UPlot, ticks: number[]) => ticks.map((tick) => valueText(tick, own));
  const left = { ...axis, size: AXIS_PX, values: valuesIn(unit) };
  const right = (own: Unit) => ({
    ...{ ...axis, size: AXIS_PX, values: valuesIn(own), scale: 'second', side: 1 },
    grid: { show: false },
  });
  return [
    { ...axis, values: (_plot, ticks) => ticks.map(timeText) },
    left,
    ...(second === undefined ? [] : [right(second)]),
  ];
}

const slotText = (values: Series['values'], slot: number | null, unit: Series['unit']): string =>
  slot === null || values[slot] === null || values[slot] === undefined ? '–' : valueText(values[slot], unit);

/** A dashed line, told apart without its colour. */
const earlierSeries = ({ name, unit, values }: Series, color: string): UPlot.Series => ({
  label: `${labelOf(name)}, the period before`,
  stroke: color,
  width: 1.5,
  dash: [6, 4],
  value: (_plot: UPlot, _shown: number, _series: number, slot: number | null) => slotText(values, slot, unit),
});

/** Draws a line from top to bottom at each moment that the chart shows. */
function drawMarks(plot: UPlot, marks: readonly Mark[], color: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  for (const { at } of marks) {
    const x = Math.round(plot.valToPos(Date.parse(at) / 1000, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
  }
  ctx.stroke();
  ctx.restore();
}

/** A day at its midnight, else a time of it, in local time. */
function timeText(seconds: number): string {
  const [day, time] = exactText(new Date(seconds * 1000).toISOString(), 'local').split(' ') as [string, string];
  return time.startsWith('00:00') ? day.slice(5) : time.slice(0, 5);
}

/** `light-dark()` is resolved by the browser when a colour is used, not in the variable. */
function colorOf(element: HTMLElement, name: string, style: CSSStyleDeclaration): string {
  element.style.color = style.getPropertyValue(name);
  const color = getComputedStyle(element).color;
  element.style.color = '';
  return color;
}

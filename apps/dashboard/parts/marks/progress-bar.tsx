import type { Tone } from './state-mark.tsx';

export interface Part {
  readonly tone: Tone;
  readonly label: string;
  readonly count: number;
}

/**
 * A bar of several parts.
 *
 * @param props.of what the whole bar stands for
 * @param props.tick share of the bar, 0 to 1, at which a mark is drawn
 * @param props.text what the bar shows, in words
 */
export function StackedBar(props: {
  readonly parts: readonly Part[];
  readonly of: number;
  readonly tick?: number | undefined;
  readonly text: string;
}) {
  const { parts, of, tick, text } = props;
  const filled = parts.filter(({ count }) => count > 0);
  const done = parts.filter(({ tone }) => tone === 'ok').reduce((sum, { count }) => sum + count, 0);
  return (
    <div
      className="bar"
      role="progressbar"
      aria-label={text}
      aria-valuetext={text}
      aria-valuemin={0}
      aria-valuemax={Math.max(of, 1)}
      aria-valuenow={done}
    >
      {filled.map(({ tone, label, count }) => (
        <span
          key={label}
          className={`bar-part fill-${tone}`}
          style={{ width: `${(100 * count) / Math.max(of, 1)}%` }}
          title={`${label}: ${count}`}
        />
      ))}
      {tick !== undefined && (
        <span className="bar-tick" style={{ left: `${100 * tick}%` }} title={`${(100 * tick).toFixed(0)} % needed`} />
      )}
    </div>
  );
}

/** How much of something is there. @param props.share 0 to 1; null while it is not known */
export function ShareBar(props: { readonly share: number | null; readonly tone?: Tone; readonly text: string }) {
  const { share, tone = 'running', text } = props;
  return (
    <div
      className="bar"
      role="progressbar"
      aria-label={text}
      aria-valuetext={text}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(share === null ? {} : { 'aria-valuenow': Math.round(100 * share) })}
    >
      <span className={`bar-part fill-${tone}`} style={{ width: `${100 * (share ?? 0)}%` }} />
    </div>
  );
}

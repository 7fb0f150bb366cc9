import { Component, lazy, type ReactNode } from 'react';
import { ProblemBox } from '../parts/problem.tsx';
import { WhenIdle } from '../parts/when-idle.tsx';
import type { PlotProps } from './plot.tsx';

const Plot = lazy(async () => ({ default: (await import('./plot.tsx')).Plot }));

/** The library that draws is loaded after the page; the summary and the table of a chart do without it. */
export function LazyPlot(props: PlotProps) {
  return (
    <WithoutPlot>
      <WhenIdle fallback={<div className="chart" aria-busy="true" />}>
        <Plot {...props} />
      </WhenIdle>
    </WithoutPlot>
  );
}

/**
 * Keeps the page when a chart cannot be drawn: its code is gone, or the browser has a language that is none, such as `en-US@posix`, which
 * uPlot gives to `Intl` when it is loaded.
 */
class WithoutPlot extends Component<{ readonly children: ReactNode }, { readonly error?: unknown }> {
  override state: { readonly error?: unknown } = {};
  static getDerivedStateFromError = (error: unknown) => ({ error });
  override render() {
    return 'error' in this.state ? <ProblemBox error={this.state.error} /> : this.props.children;
  }
}

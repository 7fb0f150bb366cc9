import { useEffect, type ReactNode } from 'react';
import { CommandLine } from './text/copy.tsx';

/** The head of a page: its only `h1`, what belongs beside it, and the title of the tab. */
export function PageHead(props: {
  readonly title: string;
  readonly beside?: ReactNode;
  readonly actions?: ReactNode;
  readonly lead?: ReactNode;
}) {
  const { title, beside, actions, lead } = props;
  useEffect(() => {
    document.title = title === 'Overview' ? 'Haulier' : `${title} · Haulier`;
  }, [title]);
  return (
    <header className="page-head">
      <div className="page-title">
        <h1>{title}</h1>
        {beside}
      </div>
      {actions !== undefined && <div className="page-actions">{actions}</div>}
      {lead !== undefined && <p className="lead">{lead}</p>}
    </header>
  );
}

/** A part of a page under a heading. */
export function Section(props: {
  readonly title: string;
  readonly beside?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
}) {
  const { title, beside, children, className = '' } = props;
  return (
    <section className={`card ${className}`} aria-label={title}>
      <div className="card-head">
        <h2>{title}</h2>
        {beside}
      </div>
      {children}
    </section>
  );
}

/** What to do where nothing is yet. @param props.line a command to copy */
export function EmptyState(props: { readonly title: string; readonly children?: ReactNode; readonly line?: string }) {
  return (
    <div className="empty">
      <strong>{props.title}</strong>
      {props.children !== undefined && <p>{props.children}</p>}
      {props.line !== undefined && <CommandLine text={props.line} />}
    </div>
  );
}

/** Shapes in the place of what is not there yet. */
export function Skeleton({ lines = 4 }: { readonly lines?: number }) {
  return (
    <div className="skeleton" aria-busy="true" aria-label="loading">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

/** Pairs of a name and a value. */
export function Facts({ facts }: { readonly facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

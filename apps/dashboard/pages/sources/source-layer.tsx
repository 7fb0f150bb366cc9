import { reorderWithEdge } from '@atlaskit/pragmatic-drag-and-drop-hitbox/util/reorder-with-edge';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type { SourceOrderView } from '#contracts/http/source-orders';
import type { ListedSource } from '#contracts/http/sources';
import type { LayerName } from '#core/layer';
import { api } from '../../data/api.ts';
import { useMay } from '../../data/session/session.ts';
import { useAct } from '../../parts/dialogs.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { Icon } from '../../parts/text/icon.tsx';
import { When } from '../../parts/text/format.tsx';
import { SourceCard } from './source-card.tsx';
import { dragCard, type Edge } from './source-drag.ts';

interface LayerProps {
  readonly layer: LayerName;
  /** Of this layer, in their order. */
  readonly sources: readonly ListedSource[];
  /** As an admin set it; undefined until it is known. */
  readonly order: SourceOrderView | undefined;
}

/** The sources of one layer. An admin changes their order with the pointer or with buttons. */
export function SourceLayer({ layer, sources, order }: LayerProps) {
  const mayOrder = useMay('admin') && order !== undefined;
  const { set, isBusy, error, said } = useOrder(layer, order);
  // An origin of two kinds has one place.
  const ids = [...new Set(sources.map(({ id }) => id))];
  const isSet = order !== undefined && order.sources.length > 0;
  return (
    <section className="stack" aria-label={`Layer ${layer}`}>
      <div className="card-head">
        <h2>Layer {layer}</h2>
        <span className="row">
          <span role="status">{said}</span>
          <span className="faint">{isSet ? <SetBy order={order} /> : 'Order: by what is measured.'}</span>
          {isSet && mayOrder && (
            <button type="button" disabled={isBusy} onClick={() => set([], 'Ordered by what is measured.')}>
              Order by what is measured
            </button>
          )}
        </span>
      </div>
      {error !== undefined && <ProblemBox error={error} />}
      {sources.map((source) =>
        mayOrder && ids.length > 1 ? (
          <MovableCard key={`${source.kind} ${source.id}`} source={source} ids={ids} set={set} />
        ) : (
          <SourceCard key={`${source.kind} ${source.id}`} source={source} />
        ),
      )}
    </section>
  );
}

const SetBy = ({ order: { by, at } }: { readonly order: SourceOrderView }) => (
  <>
    Order set by {by} <When at={at} />.
  </>
);

type SetOrder = (ids: readonly string[], says: string) => void;

/** Sends one order at a time; what happens meanwhile is left out. */
function useOrder(layer: LayerName, order: SourceOrderView | undefined) {
  const wish = useRef<{ ids: readonly string[]; says: string }>({ ids: [], says: '' });
  const [said, setSaid] = useState('');
  const { run, isBusy, error } = useAct(
    () => api.setSourceOrder(layer, wish.current.ids, order?.version),
    () => setSaid(wish.current.says),
  );
  const set: SetOrder = (ids, says) => {
    if (isBusy) return;
    wish.current = { ids, says };
    setSaid('');
    run();
  };
  return { set, isBusy, error, said };
}

function MovableCard(props: {
  readonly source: ListedSource;
  readonly ids: readonly string[];
  readonly set: SetOrder;
}) {
  const { source, ids, set } = props;
  const { id, layer, origin } = source;
  const [card, grip] = [useRef<HTMLElement>(null), useRef<HTMLSpanElement>(null)];
  const [edge, setEdge] = useState<Edge | null>(null);
  const index = ids.indexOf(id);
  const drop = useEffectEvent((dragged: string, at: Edge | null): void => {
    const from = ids.indexOf(dragged);
    if (from === -1) return;
    const to = { indexOfTarget: index, closestEdgeOfTarget: at, axis: 'vertical' } as const;
    set(reorderWithEdge({ list: [...ids], startIndex: from, ...to }), 'Moved.');
  });
  useEffect(() => {
    if (card.current === null || grip.current === null) return;
    return dragCard({ card: card.current, grip: grip.current }, { layer, id }, { edge: setEdge, drop });
  }, [card, grip, layer, id]);
  const move = (by: -1 | 1): void => {
    const to = index + by;
    if (to < 0 || to >= ids.length) return;
    const others = ids.filter((other) => other !== id);
    set(others.toSpliced(to, 0, id), `${origin} is now ${to + 1} of ${ids.length}.`);
  };
  const moves = (
    <>
      <span className="grip" ref={grip} aria-hidden="true" title="Drag to change the order">
        <Icon name="grip" />
      </span>
      <MoveButton label={`Move ${origin} up`} icon="up" isOver={index === 0} index={index} move={() => move(-1)} />
      <MoveButton
        label={`Move ${origin} down`}
        icon="down"
        isOver={index === ids.length - 1}
        index={index}
        move={() => move(1)}
      />
    </>
  );
  return <SourceCard source={source} moves={moves} ref={card} className={edge === null ? '' : `drop-at-${edge}`} />;
}

/** Stays in the order of focus at both ends, and keeps the focus when its card changes places. */
function MoveButton(props: {
  readonly label: string;
  readonly icon: 'up' | 'down';
  readonly isOver: boolean;
  readonly index: number;
  readonly move: () => void;
}) {
  const { label, icon, isOver, index, move } = props;
  const button = useRef<HTMLButtonElement>(null);
  const wasPressed = useRef(false);
  useEffect(() => {
    if (wasPressed.current && document.activeElement === document.body) button.current?.focus();
    wasPressed.current = false;
  }, [index]);
  const press = (): void => {
    wasPressed.current = !isOver;
    move();
  };
  return (
    <button
      type="button"
      className="quiet"
      ref={button}
      aria-label={label}
      title={label}
      aria-disabled={isOver}
      onClick={press}
    >
      <Icon name={icon} />
    </button>
  );
}

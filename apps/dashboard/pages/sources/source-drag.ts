import { attachClosestEdge } from '@atlaskit/pragmatic-drag-and-drop-hitbox/closest-edge/attach-closest-edge';
import { extractClosestEdge } from '@atlaskit/pragmatic-drag-and-drop-hitbox/closest-edge/extract-closest-edge';
import type { Edge } from '@atlaskit/pragmatic-drag-and-drop-hitbox/types';
import { combine } from '@atlaskit/pragmatic-drag-and-drop/utils/combine';
import { draggable, dropTargetForElements } from '@atlaskit/pragmatic-drag-and-drop/adapter/element-adapter';

export type { Edge };

export interface Dragged {
  readonly layer: string;
  readonly id: string;
}

/**
 * Lets a card be dragged by its grip, and cards of the same layer be dropped above or below it.
 *
 * @param on.edge where a drop would place the dragged card now; null: nowhere
 * @returns ends it
 */
export function dragCard(
  { card, grip }: { readonly card: HTMLElement; readonly grip: HTMLElement },
  { layer, id }: Dragged,
  on: { readonly edge: (edge: Edge | null) => void; readonly drop: (draggedId: string, edge: Edge | null) => void },
): () => void {
  return combine(
    draggable({
      element: grip,
      getInitialData: () => ({ layer, id }),
      onGenerateDragPreview: ({ nativeSetDragImage }) => nativeSetDragImage?.(card, 0, 0),
    }),
    dropTargetForElements({
      element: card,
      canDrop: ({ source: { data } }) => data['layer'] === layer && data['id'] !== id,
      getData: ({ input }) => attachClosestEdge({}, { element: card, input, allowedEdges: ['top', 'bottom'] }),
      onDrag: ({ self }) => on.edge(extractClosestEdge(self.data)),
      onDragLeave: () => on.edge(null),
      onDrop: ({ self, source }) => {
        on.edge(null);
        on.drop(String(source.data['id']), extractClosestEdge(self.data));
      },
    }),
  );
}

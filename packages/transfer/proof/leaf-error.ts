import { VerifyError, type VerifyFailureKind } from '#core/failure';

/**
 * One leaf of the table cannot be had as the table describes it. A leaf whose frame was only guessed can be
 * repaired (`#content/leaf/leaf-repair`) and the transfer run again with the new table: nothing proven is lost.
 */
export class LeafError extends VerifyError {
  readonly leafIndex: number;

  constructor(kind: VerifyFailureKind, leafIndex: number, message: string) {
    super(kind, message);
    this.leafIndex = leafIndex;
  }
}

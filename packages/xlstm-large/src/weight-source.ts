import type { FloatDtype, QuantizedDtype, QuantizedRows } from '@xlstm/device';

/** A piece of a tensor: consecutive elements from `elementOffset`, in the dtype that was asked for. */
export interface WeightPiece {
  elementOffset: number;
  data: Float32Array | Uint16Array;
}

/** A piece of a quantised matrix: whole rows from `firstRow`, as `quantizeRows` lays them out. */
export interface QuantizedPiece extends QuantizedRows {
  firstRow: number;
}

/** Where weights come from. The model knows nothing of files: a loader, a test or an initialiser provides this. */
export interface WeightSource {
  /** The shape of a tensor by its published name; `undefined` when there is none. */
  shapeOf(name: string): readonly number[] | undefined;
  /** A tensor's elements in order, converted to `dtype`, each read once. */
  stream(name: string, dtype: FloatDtype, signal?: AbortSignal): AsyncIterable<WeightPiece> | Iterable<WeightPiece>;
  /**
   * A matrix that is stored quantised in just this dtype and group: its rows in order, unchanged. `undefined` where it is
   * stored in another way; then `stream` is asked.
   */
  streamQuantized?(
    name: string,
    dtype: QuantizedDtype,
    group: number,
    signal?: AbortSignal,
  ): AsyncIterable<QuantizedPiece> | Iterable<QuantizedPiece> | undefined;
  /** The group that its quantised matrices have, which others should then have as well; 32 by default. */
  group?: number | undefined;
  /**
   * The fingerprint of the float model, where the source knows it: a quantised one must say it, since small values lose
   * their sign.
   */
  fingerprint?: string | undefined;
}

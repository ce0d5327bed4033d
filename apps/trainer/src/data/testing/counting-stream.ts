import type { TokenStream } from '../token-stream.ts';

/** Ids 0, 1, 2, …: what was read says where it was read from. */
export function countingStream(tokens: number, fingerprint = `counting ${tokens}`): TokenStream & { closed: boolean } {
  return {
    tokens,
    fingerprint,
    closed: false,
    async read(start, out) {
      if (start < 0 || start + out.length > tokens) throw new RangeError(`${start} … ${start + out.length}`);
      for (let i = 0; i < out.length; i++) out[i] = start + i;
    },
    async close() {
      this.closed = true;
    },
  };
}

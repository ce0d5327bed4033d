import { MAX_ROWS } from './signature.ts';

/** How the vector form goes about its weight rows. */
export interface RowsPlan {
  /** Weight rows of a group, whose sums a lane keeps; even. */
  rows: 2 | 4 | 8;
  /** Chunks of each of them that a lane asks for at once. */
  depth: 1 | 2 | 4;
  /** Whether x is made ready in workgroup memory; for one row of x only. */
  staged: boolean;
  /** Whether there is but one row of x. */
  single: boolean;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/**
 * The WGSL of the vector form that depends on how many rows and chunks a lane holds. Written out, since memory only answers
 * fast where many independent loads are under way, and compilers do not all unroll loops over arrays of vectors.
 */
export function rowsText({ rows, depth, staged, single }: RowsPlan): string {
  const each = (line: (row: number) => string, join = '\n'): string => range(rows).map(line).join(join);
  const half = rows / 2;
  const fields = range(depth).flatMap((u) => range(rows).map((r) => `w${u}${r}: vec4<u32>, s${u}${r}: u32`));
  const loads = range(depth).flatMap((u) =>
    range(rows).map(
      (r) => `weight[starts.r${r} + chunk + ${u}u * lanes], scale_word(starts.r${r} + chunk + ${u}u * lanes)`,
    ),
  );
  const uses = range(depth).map(
    (u) =>
      `  use_chunk(starts, chunk + ${u}u * lanes, ${each((r) => `words.w${u}${r}, words.s${u}${r}`, ', ')}, sums);`,
  );
  const codes = (count: number, decode: (row: number, index: number) => string): string =>
    range(count)
      .map(
        (index) => `
      {
        let xs = x_of(m, chunk, ${index}u);
        middle += dot(xs, vec4(1.5));
        ${each((r) => `a${r} += dot(${decode(r, index)}, xs);`, ' ')}
      }`,
      )
      .join('');
  const q8 = codes(4, (r, index) => `bytes(w${r}.${'xyzw'[index]})`);
  const q4 = codes(8, (r, index) => `${index % 2 ? 'high' : 'low'}_nibbles(w${r}.${'xyzw'[index >> 1]})`);
  return `
const ROW_COUNT = ${rows}u;
const DEPTH = ${depth}u;
const STAGED = ${staged};
const MAX_ROWS = ${single ? 1 : MAX_ROWS}u;
${single ? 'const ROWS = 1u;' : 'override ROWS: u32 = 1;'}
override OUTPUTS: u32 = ROW_COUNT; // of a group: half as many with swiglu

alias Sums = array<array<f32, ROW_COUNT>, MAX_ROWS>;
struct Starts { ${each((r) => `r${r}: u32`, ', ')} }
struct Words { ${fields.join(', ')} }

// Rows past the end repeat the last one; store drops them.
fn row_of(n: u32, r: u32) -> u32 {
  if (EPILOGUE == 2u && r >= ${half}u) { return params.up + min(n + r - ${half}u, params.N - 1u); }
  return min(n + r, params.N - 1u);
}

fn row_starts(n: u32, chunks: u32) -> Starts {
  return Starts(${each((r) => `row_of(n, ${r}u) * chunks`, ', ')});
}

fn load(starts: Starts, chunk: u32, lanes: u32) -> Words {
  return Words(
    ${loads.join(',\n    ')});
}

fn use_chunk(starts: Starts, chunk: u32, ${each((r) => `w${r}: vec4<u32>, s${r}: u32`, ', ')}, sums: ptr<function, Sums>) {
  if (WEIGHT_DTYPE >= 3u) {
    for (var m = 0u; m < ROWS; m++) {
      var middle = 0.0;
      ${each((r) => `var a${r} = 0.0;`, ' ')}
      if (WEIGHT_DTYPE == 3u) {${q8}
      } else {${q4}
      }
      ${each((r) => `(*sums)[m][${r}] += factor(s${r}, starts.r${r} + chunk) * (a${r} - middle);`, '\n      ')}
    }
  } else if (WEIGHT_DTYPE == 0u) {
    for (var m = 0u; m < ROWS; m++) {
      let xs = x_of(m, chunk, 0u);
      ${each((r) => `(*sums)[m][${r}] += dot(bitcast<vec4<f32>>(w${r}), xs);`, '\n      ')}
    }
  } else {
    ${each((r) => `let e${r} = eight(w${r});`, '\n    ')}
    for (var m = 0u; m < ROWS; m++) {
      let a = x_of(m, chunk, 0u);
      let b = x_of(m, chunk, 1u);
      ${each((r) => `(*sums)[m][${r}] += dot(e${r}.a, a) + dot(e${r}.b, b);`, '\n      ')}
    }
  }
}

fn use_words(starts: Starts, words: Words, chunk: u32, lanes: u32, sums: ptr<function, Sums>) {
${uses.join('\n')}
}

fn use_chunk_at(starts: Starts, chunk: u32, sums: ptr<function, Sums>) {
  use_chunk(starts, chunk, ${each((r) => `weight[starts.r${r} + chunk], scale_word(starts.r${r} + chunk)`, ', ')}, sums);
}
`;
}

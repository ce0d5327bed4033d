import type { WebGpuVariant } from '@xlstm/device';

/** Element (row, column) of a 16 x 16 matrix of float16 in `memory`, vectors of four words, as a load of it lays it out. */
const LIBRARY = `
alias Matrix = array<f32, 256>;

fn half_of(word: u32, odd: bool) -> f32 {
  let pair = unpack2x16float(word);
  return select(pair.x, pair.y, odd);
}

fn multiplied(left: Matrix, right: Matrix, sums: Matrix) -> Matrix {
  var l = left;
  var r = right;
  var s = sums;
  for (var row = 0u; row < 16u; row++) {
    for (var k = 0u; k < 16u; k++) {
      let factor = l[row * 16u + k];
      for (var column = 0u; column < 16u; column++) { s[row * 16u + column] += factor * r[k * 16u + column]; }
    }
  }
  return s;
}

fn scaled(sums: Matrix, factor: f32) -> Matrix {
  var s = sums;
  for (var element = 0u; element < 256u; element++) { s[element] *= factor; }
  return s;
}
`;

const loader = (memory: string, major: 'row_major' | 'col_major'): string => `
fn load_${memory}_${major}(start: u32, stride: u32) -> Matrix {
  var matrix: Matrix;
  for (var row = 0u; row < 16u; row++) {
    for (var column = 0u; column < 16u; column++) {
      let half = start * 8u + ${major === 'row_major' ? 'row * stride * 8u + column' : 'column * stride * 8u + row'};
      matrix[row * 16u + column] = half_of(${memory}[half / 8u][half / 2u % 4u], half % 2u == 1u);
    }
  }
  return matrix;
}
`;

/** Of float32 memory: scalars, or vectors of four words. */
const resultAccess = (memory: string, scalars: boolean): string => `
fn load_result_${memory}(start: u32, stride: u32) -> Matrix {
  var matrix: Matrix;
  ${
    scalars
      ? `for (var element = 0u; element < 256u; element++) {
    matrix[element] = ${memory}[start + element / 16u * stride + element % 16u];
  }`
      : ''
  }
  return matrix;
}

// All invocations of a subgroup hold, and store, the same.
fn store_${memory}(start: u32, matrix: Matrix, stride: u32) {
  var m = matrix;
  for (var element = 0u; element < 256u; element++) {
    ${
      scalars
        ? `${memory}[start + element / 16u * stride + element % 16u] = m[element];`
        : `let word = start * 4u + element / 16u * stride * 4u + element % 16u;
    ${memory}[word / 4u][word % 4u] = bitcast<u32>(m[element]);`
    }
  }
}
`;

/**
 * A form on subgroup matrices as one for any adapter, so that its indices are tested where there are none: every invocation
 * holds whole matrices, and float16 arithmetic is float32. Slow; for tests only.
 *
 * `halves` are the arrays of vectors that matrices of float16 are loaded from, `results` those that sums are stored to.
 */
export function emulated<B extends string, P extends string>(
  variant: WebGpuVariant<B, P>,
  memory: { halves: readonly string[]; results: readonly string[] },
): WebGpuVariant<B, P> {
  const loaders = memory.halves.flatMap((name) => [loader(name, 'row_major'), loader(name, 'col_major')]);
  const stores = memory.results.map((name) => resultAccess(name, !memory.halves.includes(name)));
  const code = variant.code
    .replace(/^enable [^;]*;$/gm, '')
    .replace(/subgroup_matrix_(left|right|result)<f(16|32), 16, 16>/g, 'Matrix')
    .replace(/subgroupMatrixLoad<Sums, row_major>\(&(\w+), /g, 'load_result_$1(')
    .replace(/subgroupMatrixLoad<\w+, (row_major|col_major)>\(&(\w+), /g, 'load_$2_$1(')
    .replace(/subgroupMatrixStore<row_major>\(&(\w+), /g, 'store_$1(')
    .replace(/subgroupMatrixMultiplyAccumulate/g, 'multiplied')
    .replace(/subgroupMatrixScalarMultiply/g, 'scaled')
    .replace(/,\s*@builtin\(subgroup_id\) subgroup: u32\) \{/, ') {\n  let subgroup = thread / 32u;')
    .replace(/bitcast<vec2<f16>>/g, 'unpack2x16float')
    .replace(/bitcast<u32>\(code \* scale\)/g, 'pack2x16float(code * scale)')
    .replace(/vec2<f16>/g, 'vec2<f32>')
    .replace(/(\d)h\b/g, '$1');
  return {
    ...variant,
    name: `${variant.name}, emulated`,
    code: `${code}\n${LIBRARY}${loaders.join('')}${stores.join('')}`,
    needs: {},
  };
}

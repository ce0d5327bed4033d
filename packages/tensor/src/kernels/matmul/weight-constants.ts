import { type Dtype, dtypeCode } from '@xlstm/device';

/** What `WEIGHT_DTYPE` is where weights are codes. */
const Q8 = 3;
const Q4 = 4;

/** The override constants that say how weights are read. */
export function weightConstants(weight: Dtype | undefined, bits: number, group: number): Record<string, number> {
  if (weight !== 'u32') return { WEIGHT_DTYPE: dtypeCode(weight) };
  return { WEIGHT_DTYPE: bits === 8 ? Q8 : Q4, GROUP: group };
}

/** Those of a product: also whether a bias is added. */
export function productConstants({
  dtypes,
  params,
}: {
  readonly dtypes: { readonly weight: Dtype | undefined; readonly bias: Dtype | undefined };
  readonly params: { readonly bits: number; readonly group: number };
}): Record<string, number> {
  return { ...weightConstants(dtypes.weight, params.bits, params.group), HAS_BIAS: dtypes.bias ? 1 : 0 };
}

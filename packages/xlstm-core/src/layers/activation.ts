/** Activations of the gated feed-forward, by the reference's names; `swish` is SiLU. */
export const GATED_ACTIVATIONS = ['gelu', 'swish'] as const;

/** One of `GATED_ACTIVATIONS`. */
export type GatedActivation = (typeof GATED_ACTIVATIONS)[number];

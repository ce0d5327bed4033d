import { describe, expect, it } from 'vitest';
import { configJson } from './huggingface.ts';

describe('configJson', () => {
  it('writes floats as floats, since transformers refuses integers there, and leaves the rest alone', () => {
    const text = configJson({
      v_dim_factor: 1,
      gate_soft_cap: 15,
      norm_eps: 1e-6,
      num_heads: 4,
      qk_dim_factor: 0.5,
      eps: 0,
    });
    expect(text).toContain('"v_dim_factor": 1.0,');
    expect(text).toContain('"gate_soft_cap": 15.0,');
    expect(text).toContain('"num_heads": 4,');
    expect(text).toContain('"qk_dim_factor": 0.5,');
    expect(text).toContain('"eps": 0.0\n');
    expect(JSON.parse(text)).toEqual({
      v_dim_factor: 1,
      gate_soft_cap: 15,
      norm_eps: 1e-6,
      num_heads: 4,
      qk_dim_factor: 0.5,
      eps: 0,
    });
  });
});
